/* Any text: refused, or evaluated within its budget over a document with everything in it. */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "cel/cel.h"

#define BUDGET 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cel_type text = {.kind = CEL_STRING}, number = {.kind = CEL_INT};
    static const struct cel_type numbers = {.kind = CEL_LIST, .item = &number, .list = CEL_SET};
    static const struct cel_member members[] = {{"n", "n", &number}, {"s", "s", &text}, {"l", "l", &numbers}, {0}};
    static const struct cel_type self = {.kind = CEL_OBJECT, .members = members};
    static const struct cel_variable variables[] = {{"self", &self}, {"d", &cel_types[CEL_DYN]}, {0}};
    static json_t *document;
    if (!document)
        document =
            json_loads("{\"n\": 5, \"s\": \"text\", \"l\": [3, 1, 2], \"m\": {\"k\": [1.5, null, {}]}}", 0, NULL);
    _cleanup_free_ char *expression = xstrndup((const char *)data, size);
    struct err err;
    struct cel_program *p = cel_compile(expression, variables, &err);
    if (!p)
        return 0;
    struct cel_run run;
    cel_run_init(&run, BUDGET);
    struct cel_value v = cel_eval(
        p, (struct cel_value[]){cel_from_json(document, &self, &run.arena), cel_from_json(document, NULL, &run.arena)},
        &run);
    if (run.budget < 0 && v.kind != CEL_ERROR)
        abort();
    cel_run_done(&run);
    cel_free(p);
    return 0;
}
