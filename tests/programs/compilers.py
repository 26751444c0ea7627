"""gcc and g++ compiling a large generated file each, and make -j2 of a generated project."""

PACKAGES = {"gcc": "gcc", "g++": "g++", "make": "make"}
PROVES = ["cc1", "cc1plus"]
QUICK = True
TIMEOUT = 240


def c_source(functions):
    """One C file of so many functions with loops, switches and structures, which call each other."""
    parts = ["#include <stdio.h>\n#include <string.h>\n"
             "struct node { struct node *next; int key[4]; char text[16]; };\n"]
    for i in range(functions):
        cases = "".join(f"\tcase {k}: x += node->key[{k % 4}] * {i + k}; break;\n" for k in range(i % 9 + 2))
        call = f"f{i - 1}(node, x & 7)" if i else "1"
        parts.append(
            f"int f{i}(struct node *node, int x)\n{{\n\tif (x > 3)\n\t\treturn {call};\n"
            f"\tfor (int i = 0; i < {i % 17 + 3}; i++)\n\t\tnode->key[i & 3] ^= x * {i * 7 + 1} + i;\n"
            f"\tswitch (x % {i % 9 + 3}) {{\n{cases}\tdefault: x--;\n\t}}\n"
            f"\tsnprintf(node->text, sizeof(node->text), \"%d:{i}\", x);\n"
            f"\treturn x + (int)strlen(node->text) + {call};\n}}\n")
    return "\n".join(parts)


def cxx_source(classes):
    """One C++ file that instantiates standard containers on so many types of its own."""
    parts = ["#include <algorithm>\n#include <functional>\n#include <iostream>\n#include <map>\n#include <memory>\n"
             "#include <sstream>\n#include <string>\n#include <unordered_map>\n#include <vector>\n"]
    for i in range(classes):
        parts.append(
            f"template <int N> struct t{i} {{ std::map<std::string, std::vector<t{i}>> kids; int value[N];\n"
            f"\tbool operator<(const t{i} &o) const {{ return value[0] < o.value[0]; }} }};\n"
            f"std::string f{i}(std::unordered_map<int, std::shared_ptr<t{i}<{i % 5 + 1}>>> &m) {{\n"
            f"\tstd::vector<t{i}<{i % 5 + 1}>> v; std::ostringstream out;\n"
            "\tfor (auto &[key, item] : m) { v.push_back(*item); out << key << ','; }\n"
            "\tstd::sort(v.begin(), v.end());\n"
            f"\tstd::function<int(int)> g = [&](int x) {{ return x + (int)v.size() + {i}; }};\n"
            f"\treturn out.str() + std::to_string(g({i})); }}\n")
    return "\n".join(parts)


def project(ctx, files):
    """A program of so many C files, a header, and a Makefile. Prints a sum."""
    protos = "".join(f"int part{i}(int x);\n" for i in range(files))
    ctx.write("project/parts.h", protos)
    for i in range(files):
        body = c_source(4).replace(" f", f" p{i}_f").replace("int p", "static int p")
        ctx.write(f"project/part{i}.c", body + f'#include "parts.h"\nint part{i}(int x)\n{{\n'
                  f"\tstruct node n = {{0}};\n\treturn p{i}_f3(&n, x) + {i};\n}}\n")
    calls = " + ".join(f"part{i}({i % 5})" for i in range(files))
    ctx.write("project/main.c", f'#include "parts.h"\n#include <stdio.h>\nint main(void)\n{{\n'
              f'\tprintf("%d\\n", {calls});\n\treturn 0;\n}}\n')
    objects = " ".join(["main.o"] + [f"part{i}.o" for i in range(files)])
    ctx.write("project/Makefile", f"CFLAGS = -O1 -g\nprogram: {objects}\n\t$(CC) -o $@ $^\n{objects}: parts.h\n")
    return objects.split()


def run(ctx):
    ctx.write("large.c", c_source(150 if ctx.quick else 700))
    ctx.run(["gcc", "-O2", "-g", "-Wall", "-S", "large.c"])
    ctx.record("assembly", ctx.digest("large.s"))
    ctx.write("large.cc", cxx_source(4 if ctx.quick else 20))
    ctx.run(["g++", "-O1" if ctx.quick else "-O2", "-std=c++17", "-c", "large.cc"])
    ctx.record("object", ctx.digest("large.o"))
    ctx.write("wrong.c", "int main(void) { struct s x = 1; return y + f(; }\n")
    ctx.run(["gcc", "-Wall", "-c", "wrong.c"], expect=1)
    objects = project(ctx, 8 if ctx.quick else 40)
    ctx.run(["make", "-s", "-j2", "-C", "project"])
    ctx.record("objects", ctx.digest(*(f"project/{name}" for name in objects + ["program"])))
    ctx.run(["./project/program"])
