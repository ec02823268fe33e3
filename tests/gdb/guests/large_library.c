/* SPDX-License-Identifier: MIT */
/* A library with more in its file than is ever mapped, as one with debugging information of size. */
__asm__(".pushsection .padding, \"\", @progbits\n.zero 17 * 1024 * 1024, 1\n.popsection");

int in_large_library(int number)
{
    return number + 1; /* mark: large */
}
