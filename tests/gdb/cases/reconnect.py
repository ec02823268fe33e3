# SPDX-License-Identifier: MIT
"""Test that a server outlives its gdb: detach and connect again, vanish and connect again, and it is where it was."""
import socket
connect()
do("break corrupt")
do("continue")
place = pc()
do("detach")
do("disconnect") if gdb.selected_inferior().connection else None
connect()
equal(pc(), place)
do("delete")
do("reverse-stepi")
do("disconnect")
# Somebody sends rubbish, half a packet, and goes away.
address = TARGET.rsplit(":", 1)
kind = socket.AF_UNIX if "/" in TARGET else socket.AF_INET
for rubbish in (b"\x00\xff" * 500, b"+$g#6", b"$qSupported#00$?#3f\x03\x03", b"$m0,ffffffffffffffff#00"):
    other = socket.socket(kind)
    other.connect(TARGET if "/" in TARGET else (address[0], int(address[1])))
    other.sendall(rubbish)
    other.close()
connect()
do("stepi")
equal(pc(), place)
do("monitor when")
do("monitor exit")
