// SPDX-License-Identifier: MIT
// What VS Code runs: the commands that the Debug Adapter Protocol has no button for. The adapter itself is started by
// VS Code from package.json.
'use strict';

const vscode = require('vscode');

async function ask(request, args) {
    const session = vscode.debug.activeDebugSession;
    if (session?.type !== 'rrsoft')
        return;
    try {
        await session.customRequest(request, args);
    } catch (error) {
        vscode.window.showErrorMessage(`rrsoft: ${error.message}`);
    }
}

function currentThread() {
    return { threadId: vscode.debug.activeStackItem?.threadId };
}

async function seek() {
    const place = await vscode.window.showInputBox({
        prompt: "Where to: a tick, 'event N', 'N%', 'start', 'end' or a bookmark",
    });
    if (place)
        await ask('rrsoft/seek', { place });
}

async function lastChange() {
    const editor = vscode.window.activeTextEditor;
    const range = editor && (editor.selection.isEmpty
        ? editor.document.getWordRangeAtPosition(editor.selection.active) : editor.selection);
    const expression = await vscode.window.showInputBox({
        prompt: 'Go to where the value of this expression changed last',
        value: range ? editor.document.getText(range) : '',
    });
    if (expression)
        await ask('rrsoft/lastChange', { expression });
}

const commands = {
    'rrsoft.seek': seek,
    'rrsoft.back': () => ask('rrsoft/back'),
    'rrsoft.lastChange': lastChange,
    'rrsoft.stepBackInto': () => ask('rrsoft/stepBackInto', currentThread()),
    'rrsoft.stepBackOut': () => ask('rrsoft/stepBackOut', currentThread()),
    'rrsoft.endRecording': () => ask('rrsoft/endRecording'),
};

/** A configuration that says nothing opens the latest recording. */
const configurations = {
    resolveDebugConfiguration(folder, configuration) {
        if (configuration.type)
            return configuration;
        return { type: 'rrsoft', request: 'launch', name: 'rrsoft: latest recording' };
    },
};

exports.activate = (context) => {
    for (const [name, run] of Object.entries(commands))
        context.subscriptions.push(vscode.commands.registerCommand(name, run));
    context.subscriptions.push(vscode.debug.registerDebugConfigurationProvider('rrsoft', configurations));
};

exports.deactivate = () => undefined;
