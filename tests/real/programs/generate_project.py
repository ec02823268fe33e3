# Writes a makefile project of 12 C files into argv[1].
import os
import sys

directory = sys.argv[1]
count = 12
for i in range(count):
    with open(os.path.join(directory, f"part{i}.c"), "w") as file:
        file.write("#include <stdio.h>\n#include <string.h>\n"
                   f"int part{i}(int x)\n{{\n    char text[32];\n    snprintf(text, sizeof text, \"%d\", x * {i + 3});\n"
                   "    return (int) strlen(text) + x;\n}\n")
with open(os.path.join(directory, "main.c"), "w") as file:
    file.write("#include <stdio.h>\n" + "".join(f"int part{i}(int);\n" for i in range(count)))
    file.write("int main(void)\n{\n    int x = 1;\n" + "".join(f"    x = part{i}(x);\n" for i in range(count)))
    file.write("    printf(\"%d\\n\", x);\n    return 0;\n}\n")
objects = " ".join(["main.o"] + [f"part{i}.o" for i in range(count)])
with open(os.path.join(directory, "Makefile"), "w") as file:
    file.write(f"program: {objects}\n\t$(CC) -o $@ $^\n%.o: %.c\n\t$(CC) -O1 -c -o $@ $<\n")
