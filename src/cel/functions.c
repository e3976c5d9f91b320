/* Overloads at run time, and what the functions share. */
#include "cel/functions.h"

#include <string.h>

const struct cel_function *const cel_function_tables[] = {
    cel_operator_functions,   cel_convert_functions, cel_time_functions,       cel_text_functions,
    cel_list_functions,       cel_regex_functions,   cel_kubernetes_functions, cel_optional_functions,
    cel_authorizer_functions, cel_url_functions,     cel_format_functions,     NULL,
};

enum cel_kind cel_letter_kind(char letter)
{
    static const enum cel_kind kinds[128] = {
        ['b'] = CEL_BOOL,        ['i'] = CEL_INT,        ['u'] = CEL_UINT,       ['d'] = CEL_DOUBLE,
        ['s'] = CEL_STRING,      ['y'] = CEL_BYTES,      ['n'] = CEL_NULL,       ['t'] = CEL_TIMESTAMP,
        ['r'] = CEL_DURATION,    ['T'] = CEL_TYPE,       ['l'] = CEL_LIST,       ['m'] = CEL_MAP,
        ['o'] = CEL_OPTIONAL,    ['q'] = CEL_QUANTITY,   ['w'] = CEL_URL,        ['p'] = CEL_IP,
        ['c'] = CEL_CIDR,        ['z'] = CEL_AUTHORIZER, ['h'] = CEL_PATH_CHECK, ['k'] = CEL_RESOURCE_CHECK,
        ['g'] = CEL_GROUP_CHECK, ['D'] = CEL_DECISION,   ['F'] = CEL_FORMAT,
    };
    return kinds[(unsigned char)letter & 127]; /* others: CEL_DYN */
}

size_t cel_arity(const struct cel_function *f)
{
    return strcspn(f->signature, ":");
}

static bool all_strings(struct cel_value list)
{
    for (size_t i = 0, n = cel_length(list); i < n; i++) {
        bool text = list.list.json ? json_is_string(json_array_get(list.list.json, i))
                                   : list.list.own->items[i].kind == CEL_STRING;
        if (!text)
            return false;
    }
    return true;
}

static bool accepts(char letter, struct cel_value v)
{
    switch (letter) {
    case '*':
    case 'A':
        return true;
    case 'E':
        return v.kind == CEL_LIST;
    case 'S':
        return v.kind == CEL_LIST && all_strings(v);
    case 'O':
        return v.kind == CEL_OPTIONAL;
    case 'N':
        return v.kind == CEL_INT || v.kind == CEL_UINT || v.kind == CEL_DOUBLE;
    default:
        return v.kind == cel_letter_kind(letter);
    }
}

bool cel_accepts(const struct cel_function *f, const struct cel_value *args)
{
    for (size_t i = 0; f->signature[i] != ':'; i++)
        if (!accepts(f->signature[i], args[i]))
            return false;
    return true;
}

bool cel_run_equal(struct cel_run *run, struct cel_value a, struct cel_value b)
{
    return cel_equal(a, b, &run->arena, &run->left);
}

char *cel_c_text(struct cel_run *run, struct cel_value v)
{
    return cel_alloc_text(&run->arena, v.text.s, v.text.len);
}

struct cel_value cel_copy_text(struct cel_run *run, const char *s, size_t len)
{
    return cel_text(CEL_STRING, cel_alloc_text(&run->arena, s, len), len);
}

struct cel_value cel_optional(struct cel_run *run, struct cel_value v)
{
    struct cel_value *held = cel_alloc(&run->arena, 1, sizeof(*held));
    *held = v;
    return (struct cel_value){.kind = CEL_OPTIONAL, .held = held};
}

struct cel_value cel_none(void)
{
    return (struct cel_value){.kind = CEL_OPTIONAL};
}
