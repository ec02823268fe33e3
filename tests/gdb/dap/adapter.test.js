// SPDX-License-Identifier: MIT
// Test that rrsoft-dap debugs recordings in both directions, as an editor asks it to.
'use strict';

const assert = require('node:assert');
const { describe, it, before } = require('node:test');
const { Client, descendants, isAlive, line, program, record, source, until } = require('./client');

let crash;
let loop;

before(() => {
    crash = record('crash');
    loop = record('busy_writer', '30000000');
});

/** Runs a case with a client of its own, which ends with the case whatever happens. */
function test(name, run) {
    it(name, { timeout: 120000 }, async () => {
        const client = new Client();
        try {
            await run(client);
        } finally {
            await client.stop().catch(() => undefined);
        }
    });
}

describe('a trace', () => {
    test('opens at its end, with stack and variables', async (client) => {
        const stop = await client.open({ trace: crash });
        assert.equal(stop.reason, 'entry');
        assert.ok(client.capabilities.supportsStepBack && client.capabilities.supportsRestartRequest);
        const frames = await client.frames();
        assert.deepEqual(frames.map((frame) => frame.name), ['report', 'main']);
        assert.equal(frames[0].line, line('crash', 'crash'));
        const { scopes } = (await client.scopesRequest({ frameId: frames[1].id })).body;
        const locals = (await client.variablesRequest(scopes[0])).body.variables;
        const account = locals.find((variable) => variable.name === 'account');
        assert.match(account.value, /^0x[0-9a-f]+/);
        const members = (await client.variablesRequest(account)).body.variables;
        assert.deepEqual(members.map((member) => member.name), ['history', 'name']);
        assert.match(members[1].value, /0x191/);
        await client.close();
    });

    test('is stepped backwards, to its very start', async (client) => {
        await client.open({ trace: crash });
        await client.go('stepOutRequest').catch(() => undefined);
        await client.go('customRequest', 'rrsoft/lastChange', { expression: 'account->name' });
        assert.equal(await client.where(), `deposit:${line('crash', 'guilty')}`);
        assert.equal(await client.evaluate('when'), '4');
        const stop = await client.go('stepBackRequest');
        assert.equal(stop.reason, 'step');
        assert.match(await client.where(), /^(main|deposit):/);
        const instruction = await client.go('stepBackRequest', { granularity: 'instruction' });
        assert.equal(instruction.reason, 'step');
        const start = await client.go('reverseContinueRequest');
        assert.deepEqual([start.reason, start.description], ['pause', 'The start of the recording']);
        assert.equal((await client.customRequest('rrsoft/when')).body.tick, 0);
        const end = await client.go('continueRequest');
        assert.deepEqual([end.reason, end.text], ['exception', 'SIGSEGV']);
        await client.close();
    });

    test('stops at breakpoints and conditions in both directions', async (client) => {
        const guilty = line('crash', 'guilty');
        const stop = await client.open({ trace: crash, begin: 'start', stopOnEntry: false },
            { crash: [{ line: guilty, condition: 'when >= 2' }] });
        assert.equal(stop.reason, 'breakpoint');
        assert.equal(await client.where(), `deposit:${guilty}`);
        assert.equal(await client.evaluate('when'), '2');
        await client.go('continueRequest');
        assert.equal(await client.evaluate('when'), '3');
        const back = await client.go('reverseContinueRequest');
        assert.equal(back.reason, 'breakpoint');
        assert.equal(await client.evaluate('when'), '2');
        await client.go('stepOutRequest');
        assert.match(await client.where(), /^main:/);
        await client.go('customRequest', 'rrsoft/stepBackInto', { threadId: client.threadId });
        assert.match(await client.where(), /^deposit:/);
        await client.setBreakpointsRequest({ source: { path: source('crash') }, breakpoints: [] });
        await client.go('customRequest', 'rrsoft/stepBackOut', { threadId: client.threadId });
        assert.match(await client.where(), /^main:/);
        await client.close();
    });

    test('goes backwards from its end to the first breakpoint', async (client) => {
        const stop = await client.open({ trace: crash, stopOnEntry: false }, { crash: [{ line: line('crash', 'guilty') }] });
        assert.equal(stop.reason, 'breakpoint');
        assert.equal(await client.evaluate('when'), '4');
        await client.close();
    });

    test('is searched backwards for a write', async (client) => {
        await client.open({ trace: crash });
        await client.watch('account->name');
        const stop = await client.go('reverseContinueRequest');
        assert.equal(stop.reason, 'data breakpoint');
        assert.match(stop.text, /^account->name: 0x[0-9a-f]+ "somebody" -> 0x191/);
        assert.equal(await client.where(), `deposit:${line('crash', 'guilty')}`);
        const first = await client.go('reverseContinueRequest');
        assert.match(first.text, /^account->name: 0x0 -> 0x[0-9a-f]+ "somebody"$/);
        assert.equal(await client.where(), `main:${line('crash', 'named')}`);
        const forward = await client.go('continueRequest');
        assert.equal(forward.reason, 'data breakpoint');
        await client.close();
    });

    test('is watched by the member of a structure, and no longer', async (client) => {
        await client.open({ trace: crash });
        const [frame] = await client.frames();
        const { scopes } = (await client.scopesRequest({ frameId: frame.id })).body;
        const [account] = (await client.variablesRequest(scopes[0])).body.variables;
        await client.watch('name', { variablesReference: account.variablesReference, frameId: undefined });
        const stop = await client.go('reverseContinueRequest');
        assert.match(stop.text, /name.* -> 0x191/);
        assert.deepEqual((await client.setDataBreakpointsRequest({ breakpoints: [] })).body.breakpoints, []);
        assert.equal((await client.go('reverseContinueRequest')).description, 'The start of the recording');
        const nothing = (await client.dataBreakpointInfoRequest({ name: '1 + 1', frameId: undefined })).body;
        assert.equal(nothing.dataId, null);
        await client.close();
    });

    test('is travelled through', async (client) => {
        await client.open({ trace: crash });
        const { tick: end } = (await client.customRequest('rrsoft/when')).body;
        assert.equal((await client.go('customRequest', 'rrsoft/seek', { place: '50%' })).reason, 'goto');
        const { tick } = (await client.customRequest('rrsoft/when')).body;
        assert.ok(Math.abs(tick - end / 2) < 2, `${tick} of ${end}`);
        await client.go('customRequest', 'rrsoft/seek', { place: 'start' });
        await client.go('customRequest', 'rrsoft/back');
        assert.equal((await client.customRequest('rrsoft/when')).body.tick, tick);
        assert.equal((await client.go('restartRequest')).reason, 'goto');
        assert.equal((await client.customRequest('rrsoft/when')).body.tick, end);
        await assert.rejects(client.customRequest('rrsoft/seek', { place: 'nowhere' }), /nowhere/);
        assert.equal(await client.where(), `report:${line('crash', 'crash')}`);
        await client.close();
    });

    test('is paused in the middle of a long search backwards', async (client) => {
        await client.open({ trace: loop }, { busy_writer: [{ line: line('busy_writer', 'hot'), condition: 'total < 0' }] });
        const stopped = client.waitForEvent('stopped');
        await client.reverseContinueRequest({ threadId: client.threadId });
        await new Promise((resolve) => setTimeout(resolve, 300));
        await client.pauseRequest({ threadId: client.threadId });
        const stop = (await stopped).body;
        assert.deepEqual([stop.reason, stop.description], ['pause', undefined]);
        assert.ok((await client.customRequest('rrsoft/when')).body.tick > 0);
        await client.close();
    });

    test('is left in the middle of a long search backwards', async (client) => {
        await client.open({ trace: loop }, { busy_writer: [{ line: line('busy_writer', 'hot'), condition: 'total < 0' }] });
        await client.reverseContinueRequest({ threadId: client.threadId });
        await new Promise((resolve) => setTimeout(resolve, 300));
        await client.close();
    });

    test('is left when the editor kills the adapter', async (client) => {
        await client.open({ trace: crash });
        await client.endsWithNothingLeft(() => client._adapterProcess.kill('SIGTERM'));
    });

    test('is not there', async (client) => {
        await assert.rejects(client.open({ trace: 'no-such-trace' }), /no-such-trace/);
    });
});

describe('a program', () => {
    test('is recorded with its arguments, variables and folder, then debugged', async (client) => {
        const stop = await client.open({ program: program('busy_writer'), args: ['1000'], env: { GREETED: "it's me" },
            cwd: '/tmp', begin: 'start', stopOnEntry: false }, { busy_writer: [{ line: line('busy_writer', 'end') }] });
        assert.equal(stop.reason, 'breakpoint');
        assert.match(client.outputs.stdout, /^hello, it's me\n2997\n/);
        assert.equal(await client.evaluate('total'), '2997');
        assert.equal(await client.evaluate('argc'), '2');
        await client.go('stepBackRequest');
        assert.match(await client.where(), /^main:/);
        await client.close();
    });

    test('that runs on is ended by a request', async (client) => {
        const opened = client.open({ program: program('busy_writer'), args: ['1000', 'forever'] });
        await until('it says hello', () => client.outputs.stdout.includes('hello'));
        await client.customRequest('rrsoft/endRecording');
        assert.equal((await opened).reason, 'entry');
        assert.ok((await client.frames()).some((frame) => frame.name === 'main'));
        await client.close();
    });

    test('that runs on does not outlive the session', async (client) => {
        client.open({ program: program('busy_writer'), args: ['1000', 'forever'] }).catch(() => undefined);
        await until('it says hello', () => client.outputs.stdout.includes('hello'));
        const started = descendants(client._adapterProcess.pid);
        assert.ok(started.length > 1);
        await client.disconnectRequest();
        await until(`still there: ${started}`, () => !started.some(isAlive));
    });

    test('that cannot be started is an error', async (client) => {
        await assert.rejects(client.open({ program: '/no/such/program' }), /no\/such\/program/);
    });

    test('needs an rrsoft', async (client) => {
        await assert.rejects(client.open({ program: program('crash'), rrsoft: '/no/rrsoft' }), /install rrsoft/);
    });
});
