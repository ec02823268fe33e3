# SPDX-License-Identifier: MIT
"""The real programs: one row each. Scripts run under `bash -e`; $IN is what the set-up made (natively),
$HERE the folder programs/; the current directory is fresh. Output must not depend on time, speed or process numbers,
or `compare` maps it to what must be equal. A `long` case is one of the slow tests that a
quick check leaves out."""
import re


class Case:
    def __init__(self, name, command, needs=(), packages=(), setup="", compare=lambda out: out, files=(), timeout=60,
                 status=0, long=False):
        self.name, self.command, self.needs, self.packages = name, command, needs, packages
        self.setup, self.compare, self.files = setup, compare, files
        self.timeout, self.status, self.long = timeout, status, long


def success_only(_):
    return b""


def unittest_result(out):
    """How many tests ran and how they ended: times and progress lines go."""
    return b"\n".join(re.sub(rb" in [0-9.]+s", b"", line) for line in out.splitlines()
                      if line.startswith((b"Ran ", b"OK", b"FAILED", b"FAIL:", b"ERROR:")))


def python_tests(module, timeout, long=False):
    return Case(f"python_{module}", f"/usr/bin/python3 -m unittest test.{module} 2>&1",
                needs=["/usr/bin/python3", "/usr/lib/python3.11/test/test_json"],
                packages=["python3", "libpython3.11-testsuite"], compare=unittest_result, timeout=timeout,
                long=long)


WORDS = "cat /usr/include/*.h /usr/include/linux/*.h > $IN/text; cp $IN/text $IN/data; cat $IN/text >> $IN/data"

CASES = [
    Case("coreutils_sums", """
        find /usr/include -type f | LC_ALL=C sort > list
        xargs sha256sum < list | sha256sum
        xargs cat < list | wc
        xargs cat < list | md5sum
        xargs cksum < list | cut -d' ' -f1 | sort -n | tail -5
        head -200 list | xargs stat -c '%n %s %F' | b2sum""", needs=["sha256sum"], packages=["coreutils"]),
    Case("coreutils_words", """
        find /usr/include -name '*.h' | LC_ALL=C sort | head -1500 | xargs cat |
            tr -cs 'A-Za-z_' '\\n' | sort | uniq -c | sort -k1,1nr -k2 | head -40
        seq 1 30000 | shuf --random-source=/usr/bin/env | sort -n | paste - - - | awk '{s += $1 * $3} END {print s}'
        seq 5000 | factor | md5sum""", needs=["awk"], packages=["coreutils", "gawk"]),
    Case("ls_recursive", "ls -lR --time-style=+%s /usr/include | sha256sum; du -s --apparent-size /usr/include",
         packages=["coreutils"]),
    Case("grep_sed_find", """
        grep -rEc 'struct [a-z_]+ \\{' /usr/include/linux | LC_ALL=C sort | md5sum
        grep -rhoP '\\b(?<=define )[A-Z]+_MAX\\b' /usr/include | sort | uniq -c | sort -rn | head
        find /usr/include -name '*.h' -size +20k -printf '%f %s\\n' | LC_ALL=C sort | sed -E 's/([a-z]+)_([a-z]+)/\\2-\\1/g' | md5sum
        tar cf - -C /usr/include linux | tar tvf - | awk '{print $3, $6}' | md5sum
        diff -r /usr/include/linux /usr/include/asm-generic | wc -l || true
        """, needs=["grep", "sed", "find", "tar", "diff"], packages=["grep", "sed", "findutils", "tar", "diffutils"]),
    Case("bash_script", "bash $HERE/pipes.sh", packages=["bash"]),
    Case("bash_200_processes", "for i in {1..200}; do /bin/true; done; echo $i"),
    Case("python_fib_sort", "/usr/bin/python3 $HERE/fib_sort.py", needs=["/usr/bin/python3"], packages=["python3"]),
    python_tests("test_json", 60),
    python_tests("test_re", 60),
    python_tests("test_threading", 120, long=True),
    python_tests("test_signal", 120, long=True),
    python_tests("test_subprocess", 180, long=True),
    Case("perl_text", "perl $HERE/text.pl $IN/text", setup=WORDS, needs=["perl"], packages=["perl"]),
    Case("lua_programs", "lua5.4 $HERE/programs.lua", needs=["lua5.4"], packages=["lua5.4"]),
    Case("luajit_programs", "luajit $HERE/programs.lua", needs=["luajit"], packages=["luajit"]),
    Case("sqlite_memory", "sqlite3 :memory: < $HERE/queries.sql", needs=["sqlite3"], packages=["sqlite3"]),
    Case("sqlite_file", "sqlite3 base.db < $HERE/queries.sql; sqlite3 base.db 'pragma integrity_check; select count(*) from t'",
         needs=["sqlite3"], packages=["sqlite3"]),
    Case("gcc_30000_lines", "gcc -O2 -S -o out.s $IN/big.c; wc -l < $IN/big.c; gcc -c -o out.o out.s; size out.o | awk '{print $1}'",
         setup="/usr/bin/python3 $HERE/generate_c.py 30000 > big.c", needs=["gcc", "/usr/bin/python3"],
         packages=["gcc", "libc6-dev"], files=["out.s", "out.o"], timeout=120, long=True),
    Case("gxx_exceptions", "g++ -O1 -o throws $HERE/throws.cc; ./throws", needs=["g++"], packages=["g++"], timeout=60),
    Case("make_parallel", "cp $IN/* .; make -j2 -s; ./program",
         setup="/usr/bin/python3 $HERE/generate_project.py .", needs=["make", "gcc", "/usr/bin/python3"],
         packages=["make", "gcc"]),
    Case("git_local", "bash $HERE/git_local.sh", needs=["git"], packages=["git"]),
    Case("bzip2_round", "bzip2 -9 -k -c $IN/data > d.bz2; bzip2 -dc d.bz2 | cmp - $IN/data; echo same", setup=WORDS,
         needs=["bzip2"], packages=["bzip2"], files=["d.bz2"]),
    Case("gzip_round", "gzip -9 -n -c $IN/data > d.gz; gzip -dc d.gz | cmp - $IN/data; echo same", setup=WORDS,
         needs=["gzip"], packages=["gzip"], files=["d.gz"]),
    Case("xz_two_threads", "xz -T2 -3 --block-size=1MiB -c $IN/data > d.xz; xz -T2 -dc d.xz | cmp - $IN/data; echo same",
         setup=WORDS, needs=["xz"], packages=["xz-utils"], files=["d.xz"]),
    Case("zstd_round", "zstd -q -T2 -12 -c $IN/data > d.zst; zstd -q -dc d.zst | cmp - $IN/data; echo same", setup=WORDS,
         needs=["zstd"], packages=["zstd"], files=["d.zst"]),
    Case("pigz_threads", "pigz -n -p 4 -c $IN/data > d.gz; pigz -dc d.gz | cmp - $IN/data; echo same", setup=WORDS,
         needs=["pigz"], packages=["pigz"], files=["d.gz"]),
    Case("openssl_speed", "openssl speed -seconds 1 -bytes 1024 sha256 aes-128-cbc 2>&1", compare=success_only,
         needs=["openssl"], packages=["openssl"]),
    Case("openssl_files", """
        openssl dgst -sha512 < $IN/data
        openssl enc -aes-256-cbc -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff \\
            -iv 000102030405060708090a0b0c0d0e0f -in $IN/data -out d.enc
        openssl genrsa -out key.pem 1024 2> /dev/null
        openssl dgst -sha256 -sign key.pem -out signature $IN/data
        openssl rsa -in key.pem -pubout -out public.pem 2> /dev/null
        openssl dgst -sha256 -verify public.pem -signature signature $IN/data""", setup=WORDS, needs=["openssl"],
         packages=["openssl"], files=["d.enc"]),
    Case("node_hot_loop", "node $HERE/hot_loop.js", needs=["node"], packages=["nodejs"]),
    Case("node_workers", "node $HERE/workers.js", needs=["node"], packages=["nodejs"]),
    Case("java_hello", "java -cp $IN Hello", setup="javac -d . $HERE/Hello.java", needs=["java", "javac"],
         packages=["default-jdk-headless"]),
    Case("java_threaded_sort", "java -cp $IN ThreadedSort", setup="javac -d . $HERE/ThreadedSort.java",
         needs=["java", "javac"], packages=["default-jdk-headless"]),
    Case("go_goroutines", "$IN/program",
         setup="CGO_ENABLED=0 go build -o program $HERE/../../guest/goroutines_collect_garbage.go; rm -rf $GOCACHE",
         needs=["go"], packages=["golang-go"], timeout=120),
    Case("redis_benchmark", "bash $HERE/redis.sh", needs=["redis-server", "redis-benchmark", "redis-cli"],
         packages=["redis-server", "redis-tools"], timeout=60),
    Case("gdb_core_file", """
        gdb -nx -batch -ex bt -ex 'frame 1' -ex 'info locals' -ex 'p *node' -ex 'p $_siginfo.si_signo' \\
            -ex 'x/3i $pc' $IN/crash $IN/core 2>&1 | grep -v -i -E 'warning|debuginfod|New LWP'""",
         setup="""gcc -g -O0 -no-pie -o crash $HERE/crash.c
            gdb -nx -batch -ex run -ex 'generate-core-file core' ./crash > /dev/null 2>&1; test -s core""",
         needs=["gdb", "gcc"], packages=["gdb", "gcc"]),
    Case("vim_in_terminal", "/usr/bin/python3 $HERE/vim_in_terminal.py out.txt; cat out.txt",
         needs=["vim", "/usr/bin/python3"], packages=["vim", "python3"], files=["out.txt"]),
    Case("small_tools", "ps -o comm= -p $$; id -u; hostname > /dev/null; uname -s; date -u -d @86400 +%F; env -i FOO=1 env; "
         "timeout 5 sleep 0.01; timeout 0.05 sleep 5 || echo $?; nproc; getconf PAGE_SIZE; printf '%s\\n' {a..e} | tac; "
         "yes | head -100000 | md5sum", packages=["coreutils", "procps"]),
]
