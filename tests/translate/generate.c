/* SPDX-License-Identifier: MIT */
/* From the patterns of instructions.def to bytes: see generate.h. */
#include "tests/translate/builder.h"

#include <assert.h>

const struct row rows[] = {
#define ROW(class_name, pattern, flags) {class_name, pattern, flags},
#include "tests/translate/instructions.def"
#undef ROW
};
const uint32_t row_count = sizeof rows / sizeof rows[0];

void put(struct builder *b, uint8_t byte)
{
    assert(b->p->count < PROGRAM_BYTES_MAX && "a program outgrew its room");
    b->p->bytes[b->p->count++] = byte;
}

void put_number(struct builder *b, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        put(b, (uint8_t)(value >> (8 * i)));
}

static void use_register(struct builder *b, int number)
{
    if (b->avoid & (1 << number))
        b->failed = true;
}

static void fix(struct builder *b, int number, uint64_t value)
{
    if (b->p->fixed & (1 << number))
        return;
    b->p->fixed |= (uint16_t)(1 << number);
    b->p->value[number] = value;
}

static void add_word(struct builder *b, uint64_t address, uint64_t value)
{
    if (b->p->word_count < PROGRAM_MEMORY_WORDS_MAX)
        b->p->words[b->p->word_count++] = (struct memory_word){address, value};
}

/* --- operands --- */

/* An address in the data, mostly well inside and aligned. */
static uint64_t data_address(struct builder *b)
{
    uint64_t data = b->s->base + SANDBOX_DATA;
    if (b->row->flags & ROW_XSAVE)
        return data + 64 * random_below(b->r, 64);
    uint32_t roll = random_below(b->r, 100);
    uint64_t aligned = data + 64 * (1 + random_below(b->r, SANDBOX_DATA_BYTES / 64 - 4));
    if (roll < 60 || (b->calm && roll < 95))
        return aligned;
    if (roll < 90)
        return aligned + random_below(b->r, 64);
    if (roll < 95)
        return data + SANDBOX_DATA_BYTES - random_below(b->r, 80);
    return data - random_below(b->r, 16);
}

static uint64_t wrap(const struct builder *b, uint64_t address)
{
    return b->gs ? address - (b->s->base + SANDBOX_DATA) : address;
}

static bool put_rip_relative(struct builder *b, int reg, uint64_t address)
{
    if (b->gs && b->s->base > INT32_MAX)
        return false;
    put(b, (uint8_t)(reg << 3 | 5));
    b->rip_at = b->p->count;
    b->rip_target = address;
    put_number(b, 0, 4);
    return true;
}

static bool fits8(int64_t value)
{
    return value == (int8_t)value;
}

static void put_disp(struct builder *b, int mod, int64_t disp)
{
    if (mod)
        put_number(b, (uint64_t)disp, mod == 1 ? 1 : 4);
}

static int pick_mod(struct builder *b, int base, int64_t disp)
{
    if (disp == 0 && (base & 7) != 5)
        return 0;
    return fits8(disp) && !b->evex && random_percent(b->r, 70) ? 1 : 2;
}

static int64_t random_disp(struct builder *b)
{
    switch (random_below(b->r, 3)) {
    case 0:
        return 0;
    case 1:
        return (int8_t)random_next(b->r);
    default:
        return (int32_t)random_next(b->r) >> random_below(b->r, 20);
    }
}

/* [base + disp] or [base + index * scale + disp] */
static void put_based(struct builder *b, int reg, uint64_t address)
{
    bool calm_base = b->calm && b->rex_at >= 0;
    if (calm_base)
        b->p->bytes[b->rex_at] |= 1;
    int base = calm_base ? 15 : (int)random_below(b->r, 8) | (b->rex_b << 3);
    int index = (int)random_below(b->r, 8) | (b->rex_x << 3);
    bool sib = (base & 7) == 4 || (!calm_base && random_percent(b->r, 50));
    int scale = (int)random_below(b->r, 4);
    if (calm_base || index == base || (b->p->fixed & (1 << index)))
        index = 4;
    if (sib && index == 4 && b->rex_x && b->rex_at >= 0) { /* REX.X makes 4 mean r12 */
        b->p->bytes[b->rex_at] &= (uint8_t)~2;
        b->rex_x = 0;
    }
    uint64_t moved = 0;
    if (base == 4) /* near rsp */
        fix(b, 4, b->s->base + SANDBOX_STACK + 1024 + 8 * random_below(b->r, 256));
    if (sib && index != 4) {
        fix(b, index, random_percent(b->r, 50) ? random_below(b->r, 64) : random_next(b->r));
        moved = b->p->value[index] << scale;
    }
    int64_t disp = random_disp(b);
    fix(b, base, address - moved - (uint64_t)disp);
    int64_t exact = (int64_t)(address - moved - b->p->value[base]);
    disp = exact == (int32_t)exact ? exact : 0;
    int mod = pick_mod(b, base, disp);
    put(b, (uint8_t)(mod << 6 | reg << 3 | (sib ? 4 : base & 7)));
    if (sib)
        put(b, (uint8_t)(scale << 6 | (index & 7) << 3 | (base & 7)));
    put_disp(b, mod, disp);
}

/* [index * scale + disp32], or [disp32] where that reaches */
static void put_baseless(struct builder *b, int reg, uint64_t address)
{
    int index = (int)random_below(b->r, 8) | (b->rex_x << 3);
    int scale = (int)random_below(b->r, 4);
    int64_t disp = (int32_t)random_next(b->r) >> 4 & ~7;
    disp += (int64_t)(address & 7);
    if (index != 4) {
        fix(b, index, (address - (uint64_t)disp) >> scale);
        disp = (int64_t)(address - (b->p->value[index] << scale));
    } else {
        disp = (int64_t)address;
    }
    put(b, (uint8_t)(reg << 3 | 4));
    put(b, (uint8_t)(scale << 6 | (index & 7) << 3 | 5));
    put_number(b, (uint64_t)disp, 4);
}

static void put_memory(struct builder *b, int reg)
{
    uint64_t address = data_address(b);
    if (b->row->flags & ROW_TO_MEMORY)
        add_word(b, address, b->target);
    uint64_t wrapped = wrap(b, address);
    uint32_t roll = random_below(b->r, 100);
    if (b->row->flags & ROW_RIP)
        roll = 0;
    if (roll < (b->calm ? 50 : 30) && put_rip_relative(b, reg, wrapped))
        return;
    if (b->calm && b->rex_at < 0 && put_rip_relative(b, reg, wrapped))
        return;
    if (!b->calm && roll > 88)
        put_baseless(b, reg, wrapped);
    else
        put_based(b, reg, wrapped);
}

enum { ANY, MEMORY, REGISTER };

static void put_modrm(struct builder *b, int reg, int operand)
{
    if (operand == MEMORY || (operand == ANY && random_percent(b->r, 60) && !b->registers_only)) {
        put_memory(b, reg);
        return;
    }
    int rm = (int)random_below(b->r, 8);
    int full = rm | (b->rex_b << 3);
    if (!b->vector)
        use_register(b, full);
    if (b->row->flags & (ROW_TO_MEMORY | ROW_TO_REGISTER)) {
        fix(b, full, b->target);
        if (full == 4)
            b->p->value[4] = b->s->base + SANDBOX_STACK + 1024; /* jumps into the stack: a fault */
    }
    put(b, (uint8_t)(0xc0 | reg << 3 | rm));
}

/* "/r", "/rm", "/rr", "/5", "/5m", "/5rr" and so on */
static void put_operands(struct builder *b, const char *word)
{
    int reg = word[1] == 'r' ? (int)random_below(b->r, 8) : word[1] - '0';
    char last = word[strlen(word) - 1];
    if (word[1] == 'r' && !b->vector)
        use_register(b, reg | (b->rex_r << 3));
    if (b->row->flags & ROW_BIT_MEMORY)
        fix(b, reg | (b->rex_r << 3), random_below(b->r, 64));
    int operand = strlen(word) == 2 ? ANY : last == 'm' ? MEMORY : REGISTER;
    put_modrm(b, reg, operand);
}

/* --- prefixes --- */

static void put_rex(struct builder *b, bool wide)
{
    uint8_t rex = 0x40 | (wide ? 8 : 0) | (uint8_t)random_below(b->r, 8);
    b->rex_at = (int)b->p->count;
    b->rex_b = rex & 1;
    b->rex_x = rex >> 1 & 1;
    b->rex_r = rex >> 2 & 1;
    put(b, rex);
}

static void put_useless(struct builder *b)
{
    static const uint8_t prefixes[] = {0x2e, 0x3e, 0x36, 0x26, 0xf2};
    for (uint32_t count = random_below(b->r, 3); count; count--)
        put(b, prefixes[random_below(b->r, sizeof prefixes)]);
}

/* c5: R vvvv L pp, all but pp inverted or ignored */
static void put_vex2(struct builder *b, const char *word)
{
    b->vector = true;
    uint8_t low = (uint8_t)(random_below(b->r, 2) << 2 | (word[3] - '0'));
    b->rex_r = (int)random_below(b->r, 2);
    put(b, 0xc5);
    put(b, (uint8_t)((b->rex_r ? 0 : 0x80) | vvvv(b) << 3 | low));
}

static bool is_word(const char *word, const char *text)
{
    return strcmp(word, text) == 0;
}

/* Most instructions have no second source, and fault if one is named: mostly name none. */
int vvvv(struct builder *b)
{
    return b->no_vvvv ? 15 : (int)random_below(b->r, 16);
}

static void random_vex_bits(struct builder *b)
{
    b->rex_r = (int)random_below(b->r, 2);
    b->rex_x = (int)random_below(b->r, 2);
    b->rex_b = (int)random_below(b->r, 2);
}

/* c4: RXB mmmmm, W vvvv L pp */
static void put_vex3(struct builder *b, const char *word)
{
    int wide = word[7] == '2' ? (int)random_below(b->r, 2) : word[7] - '0';
    bool general = word[7] == '2'; /* BMI: general registers, L = 0 */
    b->vector = !general;
    random_vex_bits(b);
    put(b, 0xc4);
    put(b, (uint8_t)((b->rex_r ? 0 : 0x80) | (b->rex_x ? 0 : 0x40) | (b->rex_b ? 0 : 0x20) |
                     (word[3] - '0')));
    int length = general && random_percent(b->r, 97) ? 0 : (int)random_below(b->r, 2);
    static const int lent[] = {3, 6, 7}; /* what shadow code may borrow: rbx, rsi, rdi */
    int second = vvvv(b);
    if (general && random_percent(b->r, 40))
        second = 15 - lent[random_below(b->r, 3)];
    if (general)
        use_register(b, 15 - second);
    put(b, (uint8_t)(wide << 7 | second << 3 | length << 2 | (word[5] - '0')));
}

/* 62: RXB R' 0 mmm, W vvvv 1 pp, z L'L b V' aaa */
static void put_evex(struct builder *b, const char *word)
{
    b->vector = b->evex = true;
    random_vex_bits(b);
    put(b, 0x62);
    put(b, (uint8_t)((b->rex_r ? 0 : 0x80) | (b->rex_x ? 0 : 0x40) | (b->rex_b ? 0 : 0x20) |
                     random_below(b->r, 2) << 4 | (word[2] - '0')));
    put(b, (uint8_t)((word[6] - '0') << 7 | vvvv(b) << 3 | 4 | (word[4] - '0')));
    uint32_t mask = random_below(b->r, 8);
    bool zeroing = mask && random_percent(b->r, 30);
    bool broadcast = random_percent(b->r, 10);
    put(b, (uint8_t)(zeroing << 7 | random_below(b->r, 3) << 5 | broadcast << 4 |
                     (b->no_vvvv ? 1 : random_below(b->r, 2)) << 3 | mask));
}

static bool put_prefix(struct builder *b, const char *word)
{
    bool maybe = random_percent(b->r, 50);
    if (is_word(word, "p")) {
        put_useless(b);
    } else if (is_word(word, "o")) {
        b->short_immediate = random_percent(b->r, 30);
        if (b->short_immediate)
            put(b, 0x66);
    } else if (is_word(word, "g")) {
        b->gs = maybe;
        if (maybe)
            put(b, 0x65);
    } else if (is_word(word, "a")) {
        if (maybe)
            put(b, 0x67);
    } else if (is_word(word, "w")) {
        put_rex(b, true);
    } else if (is_word(word, "x")) {
        if (maybe)
            put_rex(b, false);
    } else if (is_word(word, "X")) {
        if (maybe || random_percent(b->r, 50))
            put_rex(b, maybe);
    } else if (is_word(word, "n")) {
        put(b, 0x41 + (uint8_t)random_below(b->r, 3));
        put(b, 0x2e);
    } else {
        return false;
    }
    return true;
}

/* --- the rest of an instruction --- */

static void put_immediate(struct builder *b, const char *word)
{
    int bytes = 4;
    switch (word[1]) {
    case 'b':
        bytes = 1;
        break;
    case 'w':
        bytes = 2;
        break;
    case 'q':
        bytes = 8;
        break;
    case 'z':
        bytes = b->short_immediate && !(b->rex_at >= 0 && b->p->bytes[b->rex_at] & 8) ? 2 : 4;
        break;
    }
    put_number(b, random_next(b->r) >> (bytes == 2 ? 56 : 0), bytes);
}

static void put_branch(struct builder *b, int bytes)
{
    b->branch_at = b->p->count;
    b->branch_bytes = bytes;
    put_number(b, 0, bytes);
}

static void put_opcode(struct builder *b, const char *word)
{
    uint8_t byte = (uint8_t)strtoul(word, NULL, 16);
    if (word[2] == '+' && word[3] == 'c') {
        byte |= (uint8_t)random_below(b->r, 16);
    } else if (word[2] == '+') {
        uint8_t low = (uint8_t)random_below(b->r, 8);
        use_register(b, low | (b->rex_b << 3));
        byte |= low;
    }
    put(b, byte);
}

static void put_word(struct builder *b, const char *word)
{
    if (put_prefix(b, word))
        return;
    switch (word[0]) {
    case '/':
        put_operands(b, word);
        break;
    case 'i':
        put_immediate(b, word);
        break;
    case 'j':
        put_branch(b, word[1] - '0');
        break;
    case 'm':
        put_number(b, wrap(b, data_address(b)), 8);
        break;
    case 'v':
        if (word[1] == '2')
            put_vex2(b, word);
        else
            put_vex3(b, word);
        break;
    default:
        if (word[0] == 'e' && word[1] == '.')
            put_evex(b, word);
        else
            put_opcode(b, word);
    }
}

static void finish_instruction(struct builder *b)
{
    if (!b->rip_at)
        return;
    uint64_t next = b->p->start + b->p->count;
    uint32_t disp = (uint32_t)(b->rip_target - next);
    memcpy(b->p->bytes + b->rip_at, &disp, sizeof disp);
}

bool put_instruction(struct builder *b, const struct row *row)
{
    struct program before = *b->p;
    char pattern[64];
    char *rest = pattern;
    b->row = row;
    b->rex_at = -1;
    b->rip_at = b->branch_at = 0;
    b->rex_r = b->rex_x = b->rex_b = 0;
    b->gs = b->vector = b->evex = b->failed = b->short_immediate = false;
    b->no_vvvv = random_percent(b->r, 50);
    snprintf(pattern, sizeof pattern, "%s", row->pattern);
    for (char *word; (word = strsep(&rest, " "));)
        put_word(b, word);
    finish_instruction(b);
    b->p->flags |= row->flags;
    if (b->failed)
        *b->p = before;
    return !b->failed;
}

void put_filler(struct builder *b)
{
    static const struct row fillers[] = {
        {"", "o X 01 /rr", 0},
        {"", "o X 11 /rr", 0},
        {"", "o X 39 /rr", 0},
        {"", "X 31 /rr", 0},
        {"", "X 83 /rrr ib", 0},
        {"", "X ff /0rr", 0},
        {"", "X ff /1rr", 0},
        {"", "X 0f 40+c /rr", 0},
        {"", "x 0f 90+c /0rr", 0},
        {"", "X 85 /rr", 0},
        {"", "X c1 /rrr ib", 0},
        {"", "X 89 /rr", 0},
        {"", "X f7 /3rr", 0},
        {"", "X f7 /2rr", 0},
        {"", "f5", 0},
        {"", "f8", 0},
        {"", "f9", 0},
        {"", "X 0f af /rr", 0},
        {"", "X 0f a3 /rr", 0},
        {"", "x 0f b6 /rr", 0},
        {"", "X 0f bc /rr", 0},
        {"", "x 0f 58 /rr", 0},
        {"", "66 x 0f fe /rr", 0},
        {"", "o X 81 /7rr iz", 0},
        {"", "X d3 /rrr", 0},
        {"", "66 x 0f 2e /rr", 0},
        {"", "X 19 /rr", 0},
    };
    bool registers_only = b->registers_only;
    b->registers_only = true;
    for (int i = 0; i < 20; i++)
        if (put_instruction(b, &fillers[random_below(b->r, sizeof fillers / sizeof fillers[0])]))
            break;
    b->registers_only = registers_only;
}

/* --- single instructions --- */

/* hlt before or behind the program, the next instruction, or somewhere in the code that is far. */
static uint64_t pick_target(struct builder *b, int displacement_bytes)
{
    uint32_t roll = random_below(b->r, 100);
    uint64_t end = b->p->start + b->p->count;
    if (displacement_bytes != 1 && roll < 15)
        return b->s->base + random_below(b->r, SANDBOX_CODE_BYTES / SLOT_BYTES) * SLOT_BYTES;
    if (displacement_bytes == 8 && roll == 18)
        return random_below(b->r, 2);         /* 0 is special to lookups */
    if (displacement_bytes != 1 && roll < 18) /* not mapped, or not executable */
        return b->s->base + (roll & 1 ? SANDBOX_CODE_BYTES : SANDBOX_DATA) + roll;
    if (roll < 50)
        return b->p->start - 1 - random_below(b->r, 50);
    if (roll < 60)
        return displacement_bytes == 8 ? b->p->start - 1 : 0; /* the next instruction */
    return end + random_below(b->r, 50) + (displacement_bytes == 8 ? 100 : 0);
}

static void finish_branch(struct builder *b, uint32_t at, int bytes)
{
    uint64_t next = b->p->start + at + (uint32_t)bytes;
    uint64_t target = pick_target(b, bytes);
    uint64_t disp = target ? target - next : 0;
    memcpy(b->p->bytes + at, &disp, (size_t)bytes);
}

void generate_one(struct program *program, const struct sandbox *sandbox, struct random *r,
                  const struct row *row)
{
    uint64_t start = program->start;
    struct random main_random = {random_next(r)};
    struct random replayed = main_random;
    struct program trial = {.start = start};
    struct builder b = {.p = &trial, .s = sandbox, .r = &main_random};
    b.target = pick_target(&b, 8);
    put_instruction(&b, row);
    *program = (struct program){.start = start};
    struct builder whole = {.p = program, .s = sandbox, .r = r, .target = b.target};
    whole.avoid = trial.fixed | 1 << 4;
    if (row->flags & (ROW_STRING | ROW_XSAVE | ROW_SYSCALL))
        whole.avoid |= 0xffff;
    for (uint32_t i = random_below(r, 4); i; i--)
        put_filler(&whole);
    uint16_t avoid = whole.avoid;
    whole.avoid = 0;
    whole.r = &replayed;
    pick_target(&whole, 8); /* the same numbers as before */
    program->exit_at = program->count;
    put_instruction(&whole, row);
    uint32_t branch_at = whole.branch_at;
    int branch_bytes = whole.branch_bytes;
    whole.r = r;
    whole.avoid = avoid;
    for (uint32_t i = random_below(r, 3); i; i--)
        put_filler(&whole);
    if (branch_at)
        finish_branch(&whole, branch_at, branch_bytes);
    program->value[0] = program->fixed & 1 ? program->value[0] : 0;
    program->target = b.target;
}

void program_place(const struct program *program, const struct sandbox *sandbox)
{
    uint64_t at = program->start - SLOT_START - sandbox->base;
    uint8_t *slot = sandbox->code + at;
    uint64_t room = SANDBOX_CODE_BYTES - at;
    memset(slot, SANDBOX_HLT, room < SLOT_BYTES ? room : SLOT_BYTES);
    uint64_t fits = room - SLOT_START;
    memcpy(slot + SLOT_START, program->bytes, program->count < fits ? program->count : fits);
}
