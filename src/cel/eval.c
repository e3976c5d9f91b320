/* The evaluator: walks the tree. Errors are values on their way up; "or" and "and" forget them when the other side has
 * decided already. */
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "cel/functions.h"
#include "cel/syntax.h"

struct evaluation {
    const struct cel_program *p;
    struct cel_run *run;
    struct cel_value *slots; /* the variables, then those of macros */
};

static struct cel_value eval(struct evaluation *e, const struct cel_node *n);

static bool is_error(struct cel_value v)
{
    return v.kind == CEL_ERROR;
}

static struct cel_value no_overload(void)
{
    return cel_error("no such overload");
}

/* --- the budget --- */

struct cel_value cel_exhausted(void)
{
    return cel_error(CEL_COST_EXCEEDED);
}

bool cel_charge(struct cel_run *run, int64_t cost)
{
    run->left -= cost;
    if (run->arena.total > CEL_MEMORY_MAX)
        run->left = -1;
    return run->left >= 0;
}

bool cel_charge_text(struct cel_run *run, size_t bytes)
{
    return cel_charge(run, 1 + (int64_t)bytes / 10);
}

/* --- members --- */

static struct cel_value no_key(struct evaluation *e, struct cel_value key)
{
    if (key.kind == CEL_STRING)
        return cel_errorf(&e->run->arena, "no such key: %.*s", (int)(key.text.len < 200 ? key.text.len : 200),
                          key.text.s);
    return key.kind == CEL_INT ? cel_errorf(&e->run->arena, "no such key: %lld", (long long)key.integer)
                               : cel_error("no such key");
}

static bool whole_index(struct cel_value v, int64_t *ret)
{
    if (v.kind == CEL_DOUBLE && v.real >= 0 && v.real < 0x1p53 && v.real == (double)(int64_t)v.real)
        v = cel_int((int64_t)v.real);
    *ret = v.integer;
    return (v.kind == CEL_INT || v.kind == CEL_UINT) && v.integer >= 0;
}

/* What is there: 1; nothing: 0; it cannot be asked: -1 with the error in *ret. */
static int look_up(struct evaluation *e, struct cel_value of, struct cel_value key, struct cel_value *ret)
{
    int64_t i;
    if (of.kind == CEL_MAP) {
        if (!of.map.json && !cel_charge(e->run, (int64_t)cel_length(of) / 10)) {
            *ret = cel_exhausted();
            return -1;
        }
        return cel_find(of, key, ret, &e->run->arena);
    }
    if (of.kind == CEL_AUTHORIZER && key.kind == CEL_STRING) { /* its only member: what the request is about */
        *ret = (struct cel_value){.kind = CEL_RESOURCE_CHECK, .access = of.access};
        return 1;
    }
    if (of.kind != CEL_LIST || (key.kind != CEL_INT && key.kind != CEL_UINT && key.kind != CEL_DOUBLE)) {
        *ret = no_overload();
        return -1;
    }
    if (!whole_index(key, &i) || (size_t)i >= cel_length(of))
        return 0;
    *ret = cel_item(of, (size_t)i, &e->run->arena);
    return 1;
}

static struct cel_value missing(struct evaluation *e, struct cel_value of, struct cel_value key)
{
    int64_t i;
    if (of.kind != CEL_LIST)
        return no_key(e, key);
    whole_index(key, &i);
    return cel_errorf(&e->run->arena, "index out of bounds: %lld", (long long)i);
}

/* a.b, a[b]; of optionals and with a question mark, optionals come out. */
static struct cel_value member(struct evaluation *e, const struct cel_node *n, struct cel_value of,
                               struct cel_value key)
{
    struct cel_value found;
    bool optional = n->optional || of.kind == CEL_OPTIONAL;
    if (of.kind == CEL_OPTIONAL) {
        if (!of.held)
            return of;
        of = *of.held;
    }
    int there = look_up(e, of, key, &found);
    if (there < 0)
        return found;
    if (!there)
        return optional ? cel_none() : missing(e, of, key);
    return optional && !is_error(found) ? cel_optional(e->run, found) : found;
}

static struct cel_value eval_select(struct evaluation *e, const struct cel_node *n)
{
    struct cel_value of = eval(e, n->args[0]);
    return is_error(of) ? of : member(e, n, of, cel_string(n->name));
}

static struct cel_value eval_has(struct evaluation *e, const struct cel_node *n)
{
    struct cel_value of = eval(e, n->args[0]), found;
    if (is_error(of))
        return of;
    if (of.kind == CEL_OPTIONAL) {
        if (!of.held)
            return cel_bool(false);
        of = *of.held;
    }
    if (of.kind != CEL_MAP)
        return no_overload();
    int there = look_up(e, of, cel_string(n->name), &found);
    if (there < 0 || (there && is_error(found)))
        return found;
    return cel_bool(there);
}

static struct cel_value eval_index(struct evaluation *e, const struct cel_node *n)
{
    struct cel_value of = eval(e, n->args[0]), key = is_error(of) ? of : eval(e, n->args[1]);
    return is_error(key) ? key : member(e, n, of, key);
}

/* --- calls --- */

static struct cel_value eval_call(struct evaluation *e, const struct cel_node *n)
{
    struct cel_value args[CEL_ARGS_MAX];
    for (size_t i = 0; i < n->n; i++) {
        args[i] = eval(e, n->args[i]);
        if (is_error(args[i]))
            return args[i];
    }
    for (size_t i = 0; i < n->n_candidates; i++)
        if (cel_accepts(n->candidates[i], args)) {
            struct cel_value v = n->candidates[i]->call(e->run, args);
            return e->run->left < 0 ? cel_exhausted() : v;
        }
    return no_overload();
}

/* --- conditions --- */

static struct cel_value eval_junction(struct evaluation *e, const struct cel_node *n)
{
    bool decides = n->op == OP_OR;
    struct cel_value error = cel_null();
    for (size_t i = 0; i < n->n; i++) {
        struct cel_value v = eval(e, n->args[i]);
        if (v.kind == CEL_BOOL && v.boolean == decides)
            return v;
        if (v.kind != CEL_BOOL && !is_error(error))
            error = is_error(v) ? v : no_overload();
        if (e->run->left < 0)
            return cel_exhausted();
    }
    return is_error(error) ? error : cel_bool(!decides);
}

static struct cel_value eval_choice(struct evaluation *e, const struct cel_node *n)
{
    struct cel_value condition = eval(e, n->args[0]);
    if (is_error(condition))
        return condition;
    return condition.kind == CEL_BOOL ? eval(e, n->args[condition.boolean ? 1 : 2]) : no_overload();
}

/* --- literals --- */

/* Whether an entry marked with ? is there; *v becomes what it holds. */
static bool take_entry(const struct cel_node *n, size_t i, struct cel_value *v)
{
    if (!n->optional_items || !n->optional_items[i] || v->kind != CEL_OPTIONAL)
        return true;
    if (!v->held)
        return false;
    *v = *v->held;
    return true;
}

static struct cel_value eval_list(struct evaluation *e, const struct cel_node *n)
{
    struct cel_list *list = cel_list_new(&e->run->arena, n->n);
    for (size_t i = 0; i < n->n; i++) {
        struct cel_value v = eval(e, n->args[i]);
        if (is_error(v))
            return v;
        if (take_entry(n, i, &v))
            list->items[list->n++] = v;
    }
    return cel_charge(e->run, (int64_t)n->n + 10) ? cel_list(list) : cel_exhausted();
}

static bool is_key(struct cel_value v)
{
    return v.kind == CEL_STRING || v.kind == CEL_INT || v.kind == CEL_UINT || v.kind == CEL_BOOL;
}

static struct cel_value put(struct evaluation *e, struct cel_map *map, struct cel_value key, struct cel_value value)
{
    struct cel_value there;
    if (!is_key(key))
        return cel_error("unsupported key type");
    if (!cel_charge(e->run, 2 + (int64_t)map->n / 10))
        return cel_exhausted();
    if (cel_find(cel_map(map), key, &there, &e->run->arena))
        return cel_error("insert failed: key already exists");
    map->entries[map->n++] = (struct cel_entry){key, value};
    return cel_null();
}

static struct cel_value eval_map(struct evaluation *e, const struct cel_node *n)
{
    struct cel_map *map = cel_map_new(&e->run->arena, n->n / 2);
    for (size_t i = 0; i < n->n; i += 2) {
        struct cel_value key = eval(e, n->args[i]), value = is_error(key) ? key : eval(e, n->args[i + 1]);
        if (is_error(value))
            return value;
        if (!take_entry(n, i, &value))
            continue;
        struct cel_value put_in = put(e, map, key, value);
        if (is_error(put_in))
            return put_in;
    }
    return cel_charge(e->run, 30) ? cel_map(map) : cel_exhausted();
}

/* --- macros --- */

/* Steps through a list or a map; the keys of a map, the items of a list are what one variable gets. */
struct walk {
    struct cel_value range;
    struct cel_cursor cursor;
    size_t i;
};

static bool walk_next(struct evaluation *e, struct walk *w, const struct cel_node *n)
{
    struct cel_value *slot = &e->slots[n->slot], value;
    if (w->range.kind == CEL_MAP) {
        if (!cel_next(w->range, &w->cursor, &slot[0], &value, &e->run->arena))
            return false;
        if (n->second)
            slot[1] = value;
        return true;
    }
    if (w->i >= cel_length(w->range))
        return false;
    value = cel_item(w->range, w->i, &e->run->arena);
    slot[n->second ? 1 : 0] = value;
    if (n->second)
        slot[0] = cel_int((int64_t)w->i);
    w->i++;
    return true;
}

static struct cel_value fold_condition(struct evaluation *e, const struct cel_node *n, struct walk *w)
{
    bool decides = n->fold == FOLD_EXISTS;
    struct cel_value error = cel_null();
    while (walk_next(e, w, n)) {
        struct cel_value v = eval(e, n->args[2]);
        if (v.kind == CEL_BOOL && v.boolean == decides)
            return v;
        if (v.kind != CEL_BOOL)
            error = is_error(v) ? v : no_overload();
        if (!cel_charge(e->run, 1))
            return cel_exhausted();
    }
    return is_error(error) ? error : cel_bool(!decides);
}

static struct cel_value fold_one(struct evaluation *e, const struct cel_node *n, struct walk *w)
{
    size_t found = 0;
    while (walk_next(e, w, n)) {
        struct cel_value v = eval(e, n->args[2]);
        if (v.kind != CEL_BOOL)
            return is_error(v) ? v : no_overload();
        found += v.boolean;
        if (!cel_charge(e->run, 1))
            return cel_exhausted();
    }
    return cel_bool(found == 1);
}

/* filter, map, transformList, transformMap: what comes out is as long as what goes in, at most. */
static struct cel_value fold_collect(struct evaluation *e, const struct cel_node *n, struct walk *w)
{
    size_t max = cel_length(w->range);
    bool to_map = n->fold == FOLD_TRANSFORM_MAP;
    if (!cel_charge(e->run, (int64_t)max))
        return cel_exhausted();
    struct cel_list *list = cel_list_new(&e->run->arena, to_map ? 0 : max);
    struct cel_map *map = cel_map_new(&e->run->arena, to_map ? max : 0);
    while (walk_next(e, w, n)) {
        struct cel_value key = e->slots[n->slot], keep = n->args[1] ? eval(e, n->args[1]) : cel_bool(true);
        struct cel_value v = cel_is_true(keep) ? eval(e, n->args[2]) : keep;
        if (is_error(v) || keep.kind != CEL_BOOL || (n->fold == FOLD_FILTER && v.kind != CEL_BOOL))
            return is_error(v) ? v : no_overload();
        if (!keep.boolean || (n->fold == FOLD_FILTER && !v.boolean))
            continue;
        if (to_map)
            map->entries[map->n++] = (struct cel_entry){key, v};
        else
            list->items[list->n++] = n->fold == FOLD_FILTER ? key : v;
    }
    return to_map ? cel_map(map) : cel_list(list);
}

static struct cel_value fold_optional(struct evaluation *e, const struct cel_node *n, struct cel_value range)
{
    if (range.kind != CEL_OPTIONAL)
        return no_overload();
    if (!range.held)
        return range;
    e->slots[n->slot] = *range.held;
    struct cel_value v = eval(e, n->args[2]);
    return is_error(v) || n->optional ? v : cel_optional(e->run, v);
}

static struct cel_value eval_fold(struct evaluation *e, const struct cel_node *n)
{
    struct walk w = {.range = eval(e, n->args[0])};
    if (is_error(w.range))
        return w.range;
    if (n->fold == FOLD_OPTIONAL)
        return fold_optional(e, n, w.range);
    if (w.range.kind != CEL_LIST && w.range.kind != CEL_MAP)
        return no_overload();
    if (n->fold == FOLD_ALL || n->fold == FOLD_EXISTS)
        return fold_condition(e, n, &w);
    return n->fold == FOLD_ONE ? fold_one(e, n, &w) : fold_collect(e, n, &w);
}

static struct cel_value eval(struct evaluation *e, const struct cel_node *n)
{
    static struct cel_value (*const evals[])(struct evaluation *, const struct cel_node *) = {
        [OP_SELECT] = eval_select, [OP_HAS] = eval_has,     [OP_INDEX] = eval_index,   [OP_CALL] = eval_call,
        [OP_AND] = eval_junction,  [OP_OR] = eval_junction, [OP_CHOICE] = eval_choice, [OP_LIST] = eval_list,
        [OP_MAP] = eval_map,       [OP_FOLD] = eval_fold,
    };
    if (n->op == OP_LITERAL)
        return n->literal;
    if (!cel_charge(e->run, 1))
        return cel_exhausted();
    return n->op == OP_NAME ? e->slots[n->slot] : evals[n->op](e, n);
}

/* --- programs --- */

struct cel_program *cel_compile(const char *text, const struct cel_variable *variables, struct err *err)
{
    size_t size = strlen(text);
    struct cel_program *p = NEW(struct cel_program);
    p->text = xstrdup(text);
    if (size > CEL_TEXT_MAX)
        err_set(err, 0, "ERROR: <input>:1:1: expression code point size exceeds limit: size: %zu, limit %d", size,
                CEL_TEXT_MAX);
    else if (cel_parse(p, err) == 0 && cel_check(p, variables, err) == 0)
        return p;
    cel_free(p);
    return NULL;
}

void cel_free(struct cel_program *p)
{
    if (!p)
        return;
    cel_arena_done(&p->arena);
    free(p->text);
    free(p);
}

const struct cel_type *cel_result_type(const struct cel_program *p)
{
    return p->root->type;
}

bool cel_mentions(const struct cel_program *p, unsigned variable)
{
    return variable < p->n_variables && p->mentioned[variable];
}

void cel_run_init(struct cel_run *run, int64_t budget)
{
    *run = (struct cel_run){.budget = budget};
}

void cel_run_done(struct cel_run *run)
{
    cel_arena_done(&run->arena);
}

struct cel_value cel_eval(const struct cel_program *p, const struct cel_value *variables, struct cel_run *run)
{
    int64_t outer = run->left, limit = run->budget < CEL_CALL_COST_MAX ? run->budget : CEL_CALL_COST_MAX;
    struct evaluation e = {.p = p, .run = run, .slots = cel_alloc(&run->arena, p->n_slots, sizeof(*variables))};
    memcpy(e.slots, variables, p->n_variables * sizeof(*variables));
    run->left = limit;
    struct cel_value v = eval(&e, p->root);
    run->budget -= limit - run->left;
    run->left = outer;
    return v;
}
