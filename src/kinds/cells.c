/* See cells.h. */
#include "kinds/cells.h"

#include <stdarg.h>

#include "base/clock.h"
#include "json/json.h"
#include "kinds/labels.h"

json_t *cell_text(const json_t *obj, const char *path, const char *otherwise)
{
    const char *s = jstr(obj, path);
    return json_string(s && *s ? s : otherwise);
}

json_t *cell_int(const json_t *obj, const char *path)
{
    return json_integer(jint(obj, path, 0));
}

json_t *cell_since(const json_t *obj, const char *path, int64_t now_usec)
{
    char text[TIME_TEXT_SIZE];
    int64_t then;
    const char *when = jstr(obj, path);
    if (!when || !time_parse(when, &then))
        return json_string("<unknown>");
    return json_string(time_human_duration(now_usec - then, text));
}

json_t *cell_joined(const json_t *array, const char *key)
{
    struct buf text = BUF_INIT(0);
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item) {
        buf_addf(&text, "%s%s", i > 0 ? "," : "", jstr_or(item, key, ""));
    }
    json_t *cell = json_string(buf_str(&text));
    buf_done(&text);
    return cell;
}

json_t *cell_name(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_text(obj, "metadata.name", "");
}

json_t *cell_age(const json_t *obj, int64_t now_usec)
{
    return cell_since(obj, "metadata.creationTimestamp", now_usec);
}

json_t *cell_template_containers(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_joined(jget(obj, "spec.template.spec.containers"), "name");
}

json_t *cell_template_images(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_joined(jget(obj, "spec.template.spec.containers"), "image");
}

static json_t *selector_cell(char *text)
{
    json_t *cell = json_string(*text ? text : "<none>");
    free(text);
    return cell;
}

json_t *cell_label_selector(const json_t *selector)
{
    return selector_cell(label_selector_text(selector));
}

json_t *cell_map_selector(const json_t *selector)
{
    return selector_cell(map_selector_text(selector));
}

json_t *cell_spec_selector(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_label_selector(jget(obj, "spec.selector"));
}

void shortlist_add(struct shortlist *l, const char *fmt, ...)
{
    if (l->count++ >= SHORTLIST_SHOWN)
        return;
    va_list ap;
    va_start(ap, fmt);
    if (l->count > 1)
        buf_addc(&l->text, ',');
    buf_addv(&l->text, fmt, ap);
    va_end(ap);
}

json_t *shortlist_cell(struct shortlist *l, const char *if_empty)
{
    if (l->count == 0)
        buf_adds(&l->text, if_empty);
    if (l->count > SHORTLIST_SHOWN)
        buf_addf(&l->text, " + %zu more...", l->count - SHORTLIST_SHOWN);
    json_t *cell = json_string(buf_str(&l->text));
    buf_done(&l->text);
    return cell;
}
