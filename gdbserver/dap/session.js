// SPDX-License-Identifier: MIT
// One debug session over a recording: what cdt-gdb-adapter does with gdb and a remote target, and what it does not
// know of: going backwards, travelling, and recording first.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { Event, OutputEvent } = require('@vscode/debugadapter');
const { GDBTargetDebugSession } = require('cdt-gdb-adapter');
const { checkTrace, findTools, Recorder } = require('./recorder');

const CONFIGURED = 4; // ConfiguringState.DONE of the base class
const PAUSE_LIMIT_MS = 10000;

/** A word of a command for gdb. */
function quote(text) {
    return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** A string of gdb's machine interface. */
function miQuote(text) {
    return `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"')}"`;
}

class RrsoftDebugSession extends GDBTargetDebugSession {
    constructor() {
        super();
        this.recorder = undefined;
        this.travelling = false; // the next stop is where a journey ends
        this.goingBack = false; // the last movement was backwards
        this.watchpoints = []; // gdb's numbers of the data breakpoints
        this.names = new Map(); // what the user calls them, by data id
        process.on('exit', () => this.leaveNothing());
    }

    initializeRequest(response, args) {
        response.body = { ...response.body, supportsStepBack: true, supportsRestartRequest: true };
        super.initializeRequest(response, args);
    }

    // --- beginning ---

    async launchRequest(response, args) {
        try {
            this.settings = args;
            const tools = await findTools(args.rrsoft || 'rrsoft');
            const trace = args.program ? await this.record(tools.rrsoft, args) : args.trace;
            await checkTrace(tools.rrsoft, trace);
            await super.attachRequest(response, this.gdbArguments(tools, trace, args));
        } catch (error) {
            this.sendErrorResponse(response, 1, error.message);
        } finally {
            this.removeSocket(); // gdb is connected, or will never be
        }
    }

    async record(rrsoft, args) {
        this.recorder = new Recorder(rrsoft, args, (text, category) => this.sendEvent(new OutputEvent(text, category)));
        try {
            return await this.recorder.finish();
        } finally {
            this.recorder = undefined;
        }
    }

    /** What cdt-gdb-adapter is to do: let gdb start a server, and connect to it. */
    gdbArguments(tools, trace, args) {
        this.socketFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'rrsoft-dap-'));
        const socket = path.join(this.socketFolder, 'gdb.sock');
        const server = ['--socket', quote(socket)];
        if (args.begin !== 'start')
            server.push('--end');
        if (args.pid !== undefined)
            server.push('--pid', String(Number(args.pid)));
        if (trace)
            server.push(quote(trace));
        return {
            gdb: args.gdb || 'gdb',
            gdbArguments: ['-q', '-iex', 'set sysroot target:'],
            cwd: args.cwd,
            verbose: args.verbose,
            preConnectCommands: [...tools.gdbCommands, `set rrsoft program ${tools.rrsoft}`,
                `maintenance rrsoft-serve ${server.join(' ')}`],
            target: { type: 'extended-remote', parameters: [socket] },
            initCommands: args.initCommands,
        };
    }

    async configurationDoneRequest(response, args) {
        if (this.settings.stopOnEntry === false && this.settings.begin === 'start')
            return super.configurationDoneRequest(response, args);
        // The base class would go on now, and only forwards.
        this.configuringState = CONFIGURED;
        this.pauseCount = 0;
        this.sendResponse(response);
        if (this.settings.stopOnEntry === false)
            await this.gdb.sendCommand('-exec-continue --reverse');
        else
            this.announceStop('entry', await this.gdb.queryCurrentThreadId());
    }

    // --- going ---

    /** Answers a request by a command that makes the recording go. */
    async go(response, command, { back = false, journey = false } = {}) {
        try {
            this.goingBack = back;
            this.travelling = journey;
            await this.gdb.sendCommand(command);
            this.sendResponse(response);
        } catch (error) {
            this.travelling = false;
            this.sendErrorResponse(response, 1, error.message);
        }
    }

    async stepBackRequest(response, args) {
        const step = args.granularity === 'instruction' ? '-exec-next-instruction' : '-exec-next';
        await this.go(response, `${step} --thread ${args.threadId} --reverse`, { back: true });
    }

    async reverseContinueRequest(response, args) {
        response.body = { allThreadsContinued: true };
        await this.go(response, `-exec-continue --thread ${args.threadId} --reverse`, { back: true });
    }

    async continueRequest(response, args) {
        this.goingBack = false;
        return super.continueRequest(response, args);
    }

    /** To where the session began, within the same recording: whatever the program did, it is there already. */
    async restartRequest(response) {
        await this.travel(response, `rrsoft seek ${this.settings.begin === 'start' ? 'start' : 'end'}`);
    }

    /** One of rrsoft's commands in gdb that lead elsewhere. */
    async travel(response, command) {
        await this.go(response, `-interpreter-exec console ${miQuote(command)}`, { journey: true });
    }

    /** Requests that the protocol does not have; the extension sends them. */
    customRequest(command, response, args) {
        const thread = args?.threadId === undefined ? '' : ` --thread ${Number(args.threadId)}`;
        const requests = {
            'rrsoft/seek': () => this.travel(response, `rrsoft seek ${args.place}`),
            'rrsoft/back': () => this.travel(response, 'rrsoft back'),
            'rrsoft/lastChange': () => this.travel(response, `rrsoft last ${args.expression}`),
            'rrsoft/when': () => this.when(response),
            'rrsoft/stepBackInto': () => this.go(response, `-exec-step${thread} --reverse`, { back: true }),
            'rrsoft/stepBackOut': () => this.go(response, `-exec-finish${thread} --reverse`, { back: true }),
            'rrsoft/endRecording': () => {
                this.recorder?.end();
                this.sendResponse(response);
            },
        };
        if (!(command in requests))
            return super.customRequest(command, response, args);
        return requests[command]();
    }

    /** The position: { tick, event }. */
    async when(response) {
        try {
            const read = async (name) => Number((await this.gdb.sendCommand(`-data-evaluate-expression ${name}`)).value);
            response.body = { tick: await read('$_tick'), event: await read('$_event') };
            this.sendResponse(response);
        } catch (error) {
            this.sendErrorResponse(response, 1, error.message);
        }
    }

    // --- stopping ---

    announceStop(reason, threadId, more = {}) {
        this.frameHandles.reset();
        this.variableHandles.reset();
        this.sendEvent(new Event('stopped', { reason, threadId, allThreadsStopped: true, ...more }));
    }

    handleGDBStopped(result) {
        const thread = parseInt(result['thread-id'], 10);
        const journey = this.travelling;
        this.travelling = false;
        if (journey)
            return this.announceStop('goto', thread);
        const watchpoint = result.wpt || result['hw-rwpt'] || result['hw-awpt'];
        if (watchpoint)
            return this.announceStop('data breakpoint', thread, { text: this.describeChange(watchpoint, result.value) });
        if (result.reason === 'signal-received')
            return this.announceSignal(thread, result);
        if (result.reason === undefined || result.reason === 'no-history') {
            const end = this.goingBack ? 'start' : 'end';
            return this.announceStop('pause', thread, { description: `The ${end} of the recording` });
        }
        return super.handleGDBStopped(result);
    }

    /** gdb calls "old" what it saw last: going back, that is what was written. */
    describeChange(watchpoint, value = {}) {
        const expression = this.names.get(watchpoint.exp) || watchpoint.exp;
        if (value.old === undefined || value.new === undefined)
            return expression;
        const [before, after] = this.goingBack ? [value.new, value.old] : [value.old, value.new];
        return `${expression}: ${before} -> ${after}`;
    }

    announceSignal(thread, result) {
        if (result['signal-name'] === 'SIGINT')
            return this.announceStop('pause', thread);
        return this.announceStop('exception', thread,
            { text: result['signal-name'], description: result['signal-meaning'] });
    }

    // --- data breakpoints ---

    /** A data breakpoint is on memory, not on a name: it is to outlive the scope, in both directions. */
    async dataBreakpointInfoRequest(response, args) {
        const none = { dataId: null, description: `'${args.name}' is not in memory` };
        try {
            response.body = await this.findMemory(args) || none;
        } catch {
            response.body = none;
        }
        this.sendResponse(response);
    }

    async findMemory(args) {
        const [expression, frame] = await this.fullExpression(args);
        const inFrame = frame ? `--thread ${frame.threadId} --frame ${frame.frameId} ` : '';
        const evaluate = async (text) =>
            (await this.gdb.sendCommand(`-data-evaluate-expression ${inFrame}${miQuote(text)}`)).value;
        const address = /0x[0-9a-f]+/.exec(await evaluate(`(void *) &(${expression})`))?.[0];
        const size = Number(await evaluate(`sizeof(${expression})`));
        if (!address || !size)
            return undefined;
        const created = await this.gdb.sendCommand(`-var-create ${inFrame}- ${frame ? '*' : '@'} ${miQuote(expression)}`);
        await this.gdb.sendCommand(`-var-delete ${created.name}`);
        const typed = `*(${created.type} *) ${address}`;
        const works = await evaluate(`sizeof(${typed})`).then((text) => Number(text) === size, () => false);
        const dataId = works ? typed : `*(char (*)[${size}]) ${address}`;
        this.names.set(dataId, expression);
        return {
            dataId,
            description: `${expression} (${size} bytes at ${address})`,
            accessTypes: ['write'],
            canPersist: false,
        };
    }

    /** A data id is an expression for gdb. The client always sends all that are to be. */
    async setDataBreakpointsRequest(response, args) {
        await this.pauseIfNeeded();
        try {
            if (this.watchpoints.length)
                await this.gdb.sendCommand(`-break-delete ${this.watchpoints.join(' ')}`);
            this.watchpoints = [];
            response.body = { breakpoints: [] };
            for (const wanted of args.breakpoints)
                response.body.breakpoints.push(await this.watch(wanted));
            this.sendResponse(response);
        } catch (error) {
            this.sendErrorResponse(response, 1, error.message);
        }
        await this.continueIfNeeded();
    }

    async watch({ dataId, condition }) {
        try {
            const number = (await this.gdb.sendCommand(`-break-watch ${miQuote(dataId)}`)).wpt.number;
            this.watchpoints.push(number);
            if (condition)
                await this.gdb.sendCommand(`-break-condition ${number} ${condition}`);
            return { verified: true, id: Number(number) };
        } catch (error) {
            return { verified: false, message: error.message };
        }
    }

    /** The expression of a variable as the client knows it: by its name, or as a child of another one. */
    async fullExpression({ name, variablesReference, frameId }) {
        const parent = variablesReference ? this.variableHandles.get(variablesReference) : undefined;
        const frame = this.frameHandles.get(parent ? parent.frameHandle : frameId);
        if (parent?.type !== 'object')
            return [name, frame];
        const { children } = await this.gdb.sendCommand(`-var-list-children ${parent.varobjName}`);
        const child = children.map((item) => item.child || item).find((item) => item.exp === name);
        const found = await this.gdb.sendCommand(`-var-info-path-expression ${child.name}`);
        return [found.path_expr, frame];
    }

    // --- the end ---

    async disconnectRequest(response, args) {
        await this.stopEverything();
        return super.disconnectRequest(response, args);
    }

    async terminateRequest(response, args) {
        await this.stopEverything();
        return super.terminateRequest(response, args);
    }

    /** gdb cannot leave in the middle of a movement. */
    async stopEverything() {
        this.recorder?.abandon();
        if (!this.isRunning || !this.gdb?.isActive())
            return;
        const limit = new Promise((resolve) => setTimeout(resolve, PAUSE_LIMIT_MS).unref());
        await Promise.race([this.pauseIfNeeded(true), limit]);
    }

    removeSocket() {
        if (this.socketFolder)
            fs.rmSync(this.socketFolder, { recursive: true, force: true });
        this.socketFolder = undefined;
    }

    /** The server ends when its gdb does. */
    leaveNothing() {
        this.removeSocket();
        this.recorder?.process.kill('SIGKILL');
        if (this.gdb?.isActive())
            this.gdb.proc.kill('SIGKILL');
    }
}

module.exports = { RrsoftDebugSession };
