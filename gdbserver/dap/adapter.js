#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// The debug adapter: speaks the Debug Adapter Protocol on standard input and output.
'use strict';

const { RrsoftDebugSession } = require('./session');

// Without this Node would die by the signal, and not tell gdb.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'])
    process.on(signal, () => process.exit(0));

RrsoftDebugSession.run(RrsoftDebugSession);
