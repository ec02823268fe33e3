/* SPDX-License-Identifier: MIT */
/* Calls a function in a library whose file is large. */
int in_large_library(int number);

int main(void)
{
    return in_large_library(41) - 42;
}
