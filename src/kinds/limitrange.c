/* LimitRanges: what a container, a pod or a claim of a namespace may ask for, and what it gets when it does not say.
 * Rules: ValidateLimitRange, defaults: SetDefaults_LimitRangeItem (pkg/apis/core). */
#include <stdio.h>

#include "base/quantity.h"
#include "base/str.h"
#include "json/json.h"
#include "kinds/cells.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/rules.h"

#define AMOUNTS QUANTITIES, .check_key = check_qualified_name

static const struct field item_fields[] = {
    {"type", F_STR, REQ, .check = check_qualified_name,
     .doc = "What is limited: Container, Pod or "
            "PersistentVolumeClaim."},
    {"max", F_MAP, OPT, AMOUNTS, .doc = "Most of a resource."},
    {"min", F_MAP, OPT, AMOUNTS, .doc = "Least of a resource."},
    {"default", F_MAP, OPT, AMOUNTS, .doc = "Limits of containers that state none."},
    {"defaultRequest", F_MAP, OPT, AMOUNTS, .doc = "Requests of containers that state none."},
    {"maxLimitRequestRatio", F_MAP, OPT, AMOUNTS, .doc = "Most by which a limit may exceed the request, as a factor."},
    {0},
};

static const struct field spec_fields[] = {
    {"limits", F_LIST, REQ, LIST_OF(item_fields), .doc = "The limits, at most one of each type."},
    {0},
};

static const struct field fields[] = {
    FIELD_METADATA,
    {"spec", F_OBJECT, .sub = spec_fields, .doc = "The limits."},
    {0},
};

CELL_TEXT(cell_created, "metadata.creationTimestamp", "<unknown>");

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Created At", "date", "", 0, cell_created},
    {0},
};

/* Copies into item[to] what item[from] has and item[to] lacks. */
static void inherit(json_t *item, const char *to, const char *from)
{
    const char *name;
    json_t *amount;
    json_object_foreach(jget(item, from), name, amount) {
        if (!jget(item, to))
            jset(item, to, json_object());
        if (!json_object_get(jget(item, to), name))
            json_object_set(jget(item, to), name, amount);
    }
}

static void default_more(json_t *obj)
{
    size_t i;
    json_t *item;
    json_array_foreach(jget(obj, "spec.limits"), i, item) {
        if (!streq(jstr_or(item, "type", ""), "Container"))
            continue;
        inherit(item, "default", "max");
        inherit(item, "defaultRequest", "default");
        inherit(item, "defaultRequest", "min");
    }
}

/* Pairs of which the first must not be greater than the second. */
static const struct order {
    const char *less, *more;
    const char *blamed;            /* the member that is called wrong */
    const char *less_is, *more_is; /* words for the message */
} orders[] = {
    {"min", "max", "min", "min", "max"},
    {"min", "defaultRequest", "defaultRequest", "min", "default request"},
    {"defaultRequest", "max", "defaultRequest", "default request", "max"},
    {"defaultRequest", "default", "defaultRequest", "default request", "default limit"},
    {"min", "default", "default", "min", "default"},
    {"default", "max", "default", "default", "max"},
};

static bool amount_of(const json_t *item, const char *member, const char *resource, struct quantity *ret)
{
    const char *text = json_string_value(json_object_get(jget(item, member), resource));
    return text && quantity_parse(text, ret);
}

static void check_order(struct status_causes *c, const json_t *item, size_t i, const char *resource)
{
    struct quantity less, more;
    char less_text[QUANTITY_TEXT_SIZE], more_text[QUANTITY_TEXT_SIZE], why[400];
    for (size_t o = 0; o < ARRAY_LEN(orders); o++) {
        const struct order *order = &orders[o];
        if (!amount_of(item, order->less, resource, &less) || !amount_of(item, order->more, resource, &more) ||
            less.nano <= more.nano)
            continue;
        snprintf(why, sizeof(why), "%s value %s is greater than %s value %s", order->less_is,
                 quantity_format_text(&less, less_text), order->more_is, quantity_format_text(&more, more_text));
        rule_broken_text(c, CAUSE_INVALID, streq(order->blamed, order->less) ? less_text : more_text, why,
                         "spec.limits[%zu].%s[%.300s]", i, order->blamed, resource);
    }
}

static void check_ratio(struct status_causes *c, const json_t *item, size_t i, const char *resource)
{
    struct quantity ratio, min, max;
    char text[QUANTITY_TEXT_SIZE], why[200] = "";
    if (!amount_of(item, "maxLimitRequestRatio", resource, &ratio))
        return;
    quantity_format_text(&ratio, text);
    if (ratio.nano < 1000000000)
        snprintf(why, sizeof(why), "ratio %s is less than 1", text);
    else if (amount_of(item, "min", resource, &min) && amount_of(item, "max", resource, &max) && min.nano > 0 &&
             (double)ratio.nano / 1e9 > (double)max.nano / (double)min.nano)
        snprintf(why, sizeof(why), "ratio %s is greater than max/min = %f", text, (double)max.nano / (double)min.nano);
    if (*why)
        rule_broken_text(c, CAUSE_INVALID, text, why, "spec.limits[%zu].maxLimitRequestRatio[%.300s]", i, resource);
}

/* Every resource that the item names anywhere, once. */
static json_t *resources_of(const json_t *item)
{
    static const char *const members[] = {"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"};
    json_t *all = json_object();
    for (size_t m = 0; m < ARRAY_LEN(members); m++)
        json_object_update(all, jget(item, members[m]) ? jget(item, members[m]) : all);
    return all;
}

static void validate_item(struct status_causes *c, const json_t *item, size_t i)
{
    const char *type = jstr_or(item, "type", ""), *resource;
    json_t *amount;
    if (streq(type, "Pod") && jget(item, "default"))
        rule_broken(c, CAUSE_FORBIDDEN, NULL, "may not be specified when `type` is 'Pod'", "spec.limits[%zu].default",
                    i);
    if (streq(type, "Pod") && jget(item, "defaultRequest"))
        rule_broken(c, CAUSE_FORBIDDEN, NULL, "may not be specified when `type` is 'Pod'",
                    "spec.limits[%zu].defaultRequest", i);
    if (streq(type, "PersistentVolumeClaim") && !json_object_get(jget(item, "min"), "storage") &&
        !json_object_get(jget(item, "max"), "storage"))
        rule_broken(c, CAUSE_REQUIRED, NULL,
                    "either minimum or maximum storage value is required, but neither was "
                    "provided",
                    "spec.limits[%zu].limits", i);
    _cleanup_json_ json_t *all = resources_of(item);
    json_object_foreach(all, resource, amount) {
        check_order(c, item, i, resource);
        check_ratio(c, item, i, resource);
    }
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    _cleanup_json_ json_t *seen = json_object();
    size_t i;
    json_t *item;
    json_array_foreach(jget(obj, "spec.limits"), i, item) {
        const char *type = jstr_or(item, "type", "");
        if (json_object_get(seen, type))
            rule_broken_text(causes, CAUSE_DUPLICATE, type, "", "spec.limits[%zu].type", i);
        json_object_set_new(seen, type, json_true());
        validate_item(causes, item, i);
    }
}

const struct kind kind_limitrange = {
    .group = "",
    .version = "v1",
    .kind = "LimitRange",
    .plural = "limitranges",
    .singular = "limitrange",
    .list_kind = "LimitRangeList",
    .short_names = (const char *const[]){"limits", NULL},
    .namespaced = true,
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .default_more = default_more,
    .validate = validate,
};
