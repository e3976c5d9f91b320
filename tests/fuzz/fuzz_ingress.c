/* Any document as an Ingress (and, under "secret", its Secret): what comes out are HAProxy's files and nothing that a
 * name, a path or a certificate has smuggled into them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ingress/render.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const json_t *secret_of(void *arg, const char *ns, const char *name)
{
    (void)ns, (void)name;
    return jget(arg, "secret");
}

static void demand(bool fine)
{
    if (!fine)
        abort();
}

/* "KEY VALUE", printable. */
static void check_map(const char *text)
{
    while (*text) {
        const char *end = strchr(text, '\n');
        size_t blanks = 0;
        demand(end != NULL);
        for (const char *c = text; c < end; c++) {
            demand(*c >= ' ' && *c <= '~');
            blanks += *c == ' ';
        }
        demand(blanks == 1 && *text != ' ' && *text != '#' && end[-1] != ' ');
        text = end + 1;
    }
}

/* Every line is one of those we write. */
static void check_config(const char *text)
{
    static const char *const starts[] = {"# Written",          "global\n", "defaults\n", "frontend ingress\n",
                                         "frontend metrics\n", "backend ", "    ",       "\n"};
    while (*text) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(starts); i++)
            known |= str_after(text, starts[i]) != NULL;
        demand(known);
        const char *name = str_after(text, "backend "), *end = strchr(text, '\n');
        demand(end != NULL);
        for (const char *c = text; c < end; c++)
            demand(*c >= ' ' && *c <= '~');
        if (name)
            demand(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.:-") == (size_t)(end - name));
        text = end + 1;
    }
}

static void check_pem(const char *text)
{
    demand(str_after(text, "-----BEGIN CERTIFICATE-----\n") != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    _cleanup_json_ json_t *doc = jparse((const char *)data, size, &err);
    const json_t *list[] = {doc};
    const struct ingress_node node = {-1, "192.0.2.1"};
    const struct ingress_site site = {&node, 1, "192.0.2.2", "/run/x", 1};
    struct ingress_plan plan;
    struct ingress_files files;
    struct slots slots = {0};
    struct buf commands = BUF_INIT(0);
    if (!json_is_object(doc))
        return 0;
    ingress_plan_make(&plan, list, 1, secret_of, doc);
    for (struct map_entry *e = NULL; (e = map_next(&plan.backends, e));)
        slots_update(&slots, e->key, NULL, &commands);
    ingress_render(&plan, &slots, &site, true, &files);
    for (size_t i = 0; i < files.n; i++) {
        const char *name = files.files[i].name;
        demand(!strchr(name, '/') && strlen(name) < 256);
        if (str_ends_with(name, ".map"))
            check_map(files.files[i].text);
        else if (str_ends_with(name, ".cfg"))
            check_config(files.files[i].text);
        else if (str_ends_with(name, ".pem"))
            check_pem(files.files[i].text);
    }
    ingress_files_done(&files);
    buf_done(&commands);
    slots_done(&slots);
    ingress_plan_done(&plan);
    return 0;
}
