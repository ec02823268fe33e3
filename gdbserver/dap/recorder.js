// SPDX-License-Identifier: MIT
// What is done with rrsoft itself: finding its parts, and recording a program.
'use strict';

const { execFile, spawn } = require('child_process');
const fs = require('fs');
const path = require('path');
const { promisify } = require('util');

function isProgram(file) {
    try {
        fs.accessSync(file, fs.constants.X_OK);
        return fs.statSync(file).isFile();
    } catch {
        return false;
    }
}

/** The real path of a program, by its path or by its name in PATH. */
function findProgram(name) {
    const folders = name.includes('/') ? [''] : (process.env.PATH || '/usr/bin:/bin').split(':');
    const found = folders.map((folder) => path.join(folder, name)).find(isProgram);
    if (!found)
        throw new Error(`'${name}' was not found; install rrsoft, or say where it is with "rrsoft" in launch.json`);
    return fs.realpathSync(found);
}

/** Where the parts of an installation are: { rrsoft, server, gdbCommands }; the last are lines for gdb. */
async function findTools(name) {
    const rrsoft = findProgram(name);
    const server = path.join(path.dirname(rrsoft), 'rrsoft-gdbserver');
    if (!isProgram(server))
        throw new Error(`this installation of rrsoft is not complete: ${server} is missing`);
    const { stdout } = await promisify(execFile)(rrsoft, ['gdbinit']);
    return { rrsoft, server, gdbCommands: stdout.split('\n').filter((line) => line && !line.startsWith('#')) };
}

/** Throws what rrsoft says if a trace (undefined: the latest) cannot be read. */
async function checkTrace(rrsoft, trace) {
    try {
        await promisify(execFile)(rrsoft, ['info', ...(trace === undefined ? [] : ['--', trace])]);
    } catch (error) {
        throw new Error(error.stderr?.trim() || error.message);
    }
}

/** One recording that is being made. */
class Recorder {
    /** `show(text, category)` gets what the program writes. */
    constructor(rrsoft, { program, args = [], cwd, env = {}, recordArgs = [] }, show) {
        this.trace = undefined;
        this.show = show;
        this.program = program;
        this.head = this.lastWords = '';
        const variables = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
        this.process = spawn(rrsoft, ['record', ...variables, ...recordArgs, '--', program, ...args],
            { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
        this.process.stdout.on('data', (data) => show(data.toString(), 'stdout'));
        this.process.stderr.on('data', (data) => this.readErrors(data.toString()));
    }

    /** The first line is rrsoft's own, and names the trace. */
    readErrors(text) {
        if (this.trace === undefined) {
            this.head += text;
            this.trace = /^rrsoft: recording to (.*)\n/.exec(this.head)?.[1];
        }
        this.lastWords = (this.lastWords + text).slice(-1000);
        this.show(text, 'stderr');
    }

    /** Waits for the end of the program, and gives the path of the trace. */
    finish() {
        return new Promise((resolve, reject) => {
            this.process.on('error', reject);
            this.process.on('close', () => {
                if (this.trace !== undefined && fs.existsSync(this.trace))
                    resolve(this.trace);
                else
                    reject(new Error(this.lastWords.trim() || `'${this.program}' could not be recorded`));
            });
        });
    }

    /** Ends the recording; the program gets the signal then. */
    end() {
        this.process.kill('SIGTERM');
    }

    /** Ends the recording and the program, whatever it thinks of signals. */
    abandon() {
        this.end();
        setTimeout(() => this.process.kill('SIGKILL'), 2000).unref();
    }
}

module.exports = { checkTrace, findTools, Recorder };
