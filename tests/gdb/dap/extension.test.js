// SPDX-License-Identifier: MIT
// Test the extension as it was unpacked from the .vsix, with a stand-in for VS Code.
'use strict';

const assert = require('node:assert');
const Module = require('node:module');
const path = require('node:path');
const { it } = require('node:test');
const { Client, program } = require('./client');

const { EXTENSION } = process.env;
const description = require(path.join(EXTENSION, 'package.json'));

/** VS Code, as far as the extension asks for it. */
function standIn(answers) {
    const made = { commands: {}, providers: {}, requests: [], errors: [] };
    const session = {
        type: 'rrsoft',
        customRequest: async (name, args) => {
            made.requests.push([name, args]);
            if (args?.place === 'nowhere')
                throw new Error('no such place');
        },
    };
    made.vscode = {
        commands: { registerCommand: (name, run) => (made.commands[name] = run) },
        debug: {
            activeDebugSession: session,
            activeStackItem: { threadId: 7 },
            registerDebugConfigurationProvider: (type, provider) => (made.providers[type] = provider),
        },
        window: {
            activeTextEditor: undefined,
            showInputBox: async () => answers.shift(),
            showErrorMessage: (text) => made.errors.push(text),
        },
    };
    return made;
}

function activate(answers) {
    const made = standIn(answers);
    const load = Module._load;
    Module._load = (name, ...rest) => (name === 'vscode' ? made.vscode : load(name, ...rest));
    delete require.cache[path.join(EXTENSION, 'extension.js')];
    require(path.join(EXTENSION, 'extension.js')).activate({ subscriptions: [] });
    Module._load = load;
    return made;
}

it('has a function for each command, and each command that a menu shows', () => {
    const declared = description.contributes.commands.map((command) => command.command);
    assert.deepEqual(Object.keys(activate([]).commands).sort(), [...declared].sort());
    for (const items of Object.values(description.contributes.menus))
        for (const item of items)
            assert.ok(declared.includes(item.command), item.command);
});

it('sends what its commands say', async () => {
    const made = activate(['event 12', 'account->name', 'nowhere', undefined]);
    await made.commands['rrsoft.seek']();
    await made.commands['rrsoft.lastChange']();
    await made.commands['rrsoft.stepBackInto']();
    await made.commands['rrsoft.seek']();
    await made.commands['rrsoft.seek']();
    assert.deepEqual(made.requests, [
        ['rrsoft/seek', { place: 'event 12' }],
        ['rrsoft/lastChange', { expression: 'account->name' }],
        ['rrsoft/stepBackInto', { threadId: 7 }],
        ['rrsoft/seek', { place: 'nowhere' }],
    ]);
    assert.deepEqual(made.errors, ['rrsoft: no such place']);
});

it('makes a configuration where there is none', () => {
    const provider = activate([]).providers.rrsoft;
    assert.equal(provider.resolveDebugConfiguration(undefined, {}).request, 'launch');
    const own = { type: 'rrsoft', request: 'launch', trace: 'x' };
    assert.equal(provider.resolveDebugConfiguration(undefined, own), own);
});

it('brings an adapter that runs', { timeout: 60000 }, async () => {
    const [debuggerOf] = description.contributes.debuggers;
    const client = new Client(path.join(EXTENSION, debuggerOf.program));
    try {
        await client.open({ program: program('crash') });
        assert.match(await client.where(), /^report:/);
        await client.close();
    } finally {
        await client.stop();
    }
});
