// SPDX-License-Identifier: MIT
// What the cases share: a client of the Debug Adapter Protocol with an adapter of its own, and whom it started.
'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');

const { RRSOFT, PROGRAMS, FOLDER, SOURCES, RRSOFT_TRACE_DIR } = process.env;
const { DebugClient } = createRequire(path.join(FOLDER, 'x.js'))('@vscode/debugadapter-testsupport');
const LIMIT_MS = 30000;

const program = (name) => path.join(PROGRAMS, name);
const source = (name) => path.join(SOURCES, `${name}.c`);

/** The number of the line with this mark. */
function line(name, mark) {
    const lines = fs.readFileSync(source(name), 'utf8').split('\n');
    return lines.findIndex((text) => text.includes(`mark: ${mark} `)) + 1;
}

/** Records a guest, whatever it exits with, and gives the trace. */
function record(name, ...args) {
    const trace = path.join(RRSOFT_TRACE_DIR, `${name}-${fs.readdirSync(RRSOFT_TRACE_DIR).length}-made`);
    try {
        execFileSync(RRSOFT, ['record', '--quiet', '--output', trace, '--', program(name), ...args], { stdio: 'ignore' });
    } catch {
        // it crashed, as it should
    }
    return trace;
}

/** All processes below one, by number. */
function descendants(pid) {
    const parents = new Map();
    for (const entry of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        try {
            const stat = fs.readFileSync(`/proc/${entry}/stat`, 'latin1');
            parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
        } catch {
            // gone meanwhile
        }
    }
    const found = [pid];
    for (const parent of found)
        found.push(...[...parents].filter(([, its]) => its === parent).map(([child]) => child));
    return found.slice(1);
}

function isAlive(pid) {
    try {
        return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'latin1'));
    } catch {
        return false;
    }
}

async function until(what, condition) {
    const end = Date.now() + LIMIT_MS;
    while (!condition()) {
        assert.ok(Date.now() < end, what);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

class Client extends DebugClient {
    constructor(adapter = path.join(FOLDER, 'adapter.js')) {
        super('node', adapter, 'rrsoft', { env: process.env }, true);
        this.defaultTimeout = LIMIT_MS;
        this.outputs = { stdout: '', stderr: '', console: '' };
        this.on('output', ({ body }) => {
            this.outputs[body.category || 'console'] = (this.outputs[body.category || 'console'] || '') + body.output;
        });
    }

    /** Starts a session, with breakpoints set as an editor does; gives the first stop's body. */
    async open(configuration, breakpoints = {}, request = 'launch') {
        await this.start();
        this.capabilities = (await this.initializeRequest()).body;
        const initialized = this.waitForEvent('initialized');
        const launched = this[`${request}Request`]({ rrsoft: RRSOFT, ...configuration });
        await Promise.race([initialized, launched]);
        await initialized;
        for (const [name, list] of Object.entries(breakpoints)) {
            const set = await this.setBreakpointsRequest({ source: { path: source(name) }, breakpoints: list });
            assert.ok(set.body.breakpoints.every((breakpoint) => breakpoint.verified), JSON.stringify(set.body));
        }
        const stopped = this.waitForEvent('stopped');
        await this.configurationDoneRequest();
        await launched;
        const stop = (await stopped).body;
        this.threadId = stop.threadId;
        return stop;
    }

    /** Sends a request that makes the recording go, and gives the next stop's body. */
    async go(request, ...args) {
        const stopped = this.waitForEvent('stopped');
        const sent = typeof args[0] === 'string' ? this[request](...args) : this[request]({ threadId: this.threadId, ...args[0] });
        await sent;
        return (await stopped).body;
    }

    async frames() {
        return (await this.stackTraceRequest({ threadId: this.threadId })).body.stackFrames;
    }

    /** "function:line" of the innermost frame. */
    async where() {
        const [frame] = await this.frames();
        return `${frame.name}:${frame.line}`;
    }

    async evaluate(expression) {
        const [frame] = await this.frames();
        return (await this.evaluateRequest({ expression, frameId: frame.id })).body.result;
    }

    async watch(name, more = {}, condition) {
        const [frame] = await this.frames();
        const info = (await this.dataBreakpointInfoRequest({ name, frameId: frame.id, ...more })).body;
        assert.ok(info.dataId, JSON.stringify(info));
        const set = await this.setDataBreakpointsRequest({ breakpoints: [{ dataId: info.dataId, accessType: 'write', condition }] });
        assert.deepEqual(set.body.breakpoints.map((breakpoint) => breakpoint.verified), [true], JSON.stringify(set.body));
    }

    /** Ends the session by `how`, and sees to it that nothing is left of it. */
    async endsWithNothingLeft(how) {
        const own = this._adapterProcess.pid;
        const started = descendants(own);
        assert.ok(started.length > 0, 'the adapter started something');
        await how();
        await until(`still there: ${started.filter(isAlive)}`, () => !started.some(isAlive));
        await this.stop();
        await until('the adapter is still there', () => !isAlive(own));
    }

    /** The one of the base class waits for an answer of the adapter, which may be gone. */
    async stop() {
        this.stopAdapter();
    }

    async close() {
        await this.endsWithNothingLeft(() => this.disconnectRequest());
    }
}

module.exports = { Client, descendants, isAlive, line, program, record, source, until };
