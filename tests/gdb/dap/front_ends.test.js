// SPDX-License-Identifier: MIT
// Test that each adapter of npm debugs a program with the configuration that docs/VSCODE.md has for it.
'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { it } = require('node:test');
const { Client, line } = require('./client');

const { CONFIGURATIONS, FOLDER } = process.env;
const cdt = path.join(FOLDER, 'node_modules', 'cdt-gdb-adapter', 'dist');
const adapters = {
    rrsoft: path.join(FOLDER, 'adapter.js'),
    gdb: path.join(cdt, 'debugAdapter.js'),
    gdbtarget: path.join(cdt, 'debugTargetAdapter.js'),
};

/** Back to the first time that the breakpoint is hit, by a button or by a command of gdb's. */
async function goBack(client, type) {
    if (type === 'rrsoft')
        return client.go('reverseContinueRequest');
    const stopped = client.waitForEvent('stopped');
    const [frame] = await client.frames();
    await client.evaluateRequest({ expression: '>reverse-continue', context: 'repl', frameId: frame.id });
    return (await stopped).body;
}

for (const [name, configuration] of Object.entries(JSON.parse(CONFIGURATIONS)))
    it(name, { timeout: 60000 }, async () => {
        const { type, request, ...more } = configuration;
        const client = new Client(adapters[type]);
        const guilty = line('crash', 'guilty');
        try {
            const first = await client.open(more, { crash: [{ line: guilty }] }, request);
            if (first.reason === 'entry')
                await client.go('reverseContinueRequest');
            assert.equal(await client.where(), `deposit:${guilty}`);
            while (await client.evaluate('when') !== '0')
                await goBack(client, type);
            await client.go('continueRequest');
            assert.equal(await client.evaluate('when'), '1');
            await goBack(client, type);
            assert.equal(await client.evaluate('when'), '0');
            await client.close();
        } finally {
            await client.stop();
        }
    });
