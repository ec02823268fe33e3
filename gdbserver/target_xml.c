/* SPDX-License-Identifier: MIT */
/*
 * The target description: the features of the recording's CPU with their registers (gdb manual,
 * "Target Description Format" and "i386 Features"). Types are local to a feature there, so that two
 * features repeat the vectors.
 */
#include "gdbserver/registers.h"

static const char eflags_kind[] =
    "<flags id=\"i386_eflags\" size=\"4\">"
    "<field name=\"\" start=\"22\" end=\"31\"/><field name=\"ID\" start=\"21\" end=\"21\"/>"
    "<field name=\"VIP\" start=\"20\" end=\"20\"/><field name=\"VIF\" start=\"19\" end=\"19\"/>"
    "<field name=\"AC\" start=\"18\" end=\"18\"/><field name=\"VM\" start=\"17\" end=\"17\"/>"
    "<field name=\"RF\" start=\"16\" end=\"16\"/><field name=\"\" start=\"15\" end=\"15\"/>"
    "<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"IOPL\" start=\"12\" end=\"13\"/>"
    "<field name=\"OF\" start=\"11\" end=\"11\"/><field name=\"DF\" start=\"10\" end=\"10\"/>"
    "<field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"TF\" start=\"8\" end=\"8\"/>"
    "<field name=\"SF\" start=\"7\" end=\"7\"/><field name=\"ZF\" start=\"6\" end=\"6\"/>"
    "<field name=\"\" start=\"5\" end=\"5\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
    "<field name=\"\" start=\"3\" end=\"3\"/><field name=\"PF\" start=\"2\" end=\"2\"/>"
    "<field name=\"\" start=\"1\" end=\"1\"/><field name=\"CF\" start=\"0\" end=\"0\"/>"
    "</flags>";

static const char vec128_kind[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\">"
    "<field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
    "<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/>"
    "<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
    "<field name=\"uint128\" type=\"uint128\"/></union>";

static const char mxcsr_kind[] =
    "<flags id=\"i386_mxcsr\" size=\"4\">"
    "<field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"
    "<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/>"
    "<field name=\"UE\" start=\"4\" end=\"4\"/><field name=\"PE\" start=\"5\" end=\"5\"/>"
    "<field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"
    "<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/>"
    "<field name=\"OM\" start=\"10\" end=\"10\"/><field name=\"UM\" start=\"11\" end=\"11\"/>"
    "<field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"FZ\" start=\"15\" end=\"15\"/>"
    "</flags>";

static const char v2ui128_kind[] = "<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>";

static const char *const feature_names[] = {
#define X(feature, text, xcr0) text,
    REGISTER_FEATURES(X)
#undef X
};

static const char *const feature_kinds[][2] = {
    [REGISTER_FEATURE_CORE] = {eflags_kind, ""},
    [REGISTER_FEATURE_SSE] = {vec128_kind, mxcsr_kind},
    [REGISTER_FEATURE_AVX512] = {vec128_kind, v2ui128_kind},
    [REGISTER_FEATURE_PKEYS] = {"", ""},
};

void target_xml_write(const struct register_layout *layout, struct buffer *xml)
{
    int feature = -1;
    buffer_add_text(xml, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
                         "<target><architecture>i386:x86-64</architecture>"
                         "<osabi>GNU/Linux</osabi>");
    for (unsigned i = 0; i < REGISTER_COUNT; i++) {
        const struct register_row *row = &register_rows[i];
        if (!register_exists(layout, i))
            continue;
        if (row->feature != feature) {
            buffer_printf(xml, "%s<feature name=\"%s\">", feature >= 0 ? "</feature>" : "",
                          feature_names[row->feature]);
            feature = row->feature;
            for (int k = 0; k < 2 && feature_kinds[feature][k]; k++)
                buffer_add_text(xml, feature_kinds[feature][k]);
        }
        buffer_printf(xml, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"/>", row->name,
                      row->bits, row->value_kind, i);
    }
    buffer_add_text(xml, "</feature></target>");
}
