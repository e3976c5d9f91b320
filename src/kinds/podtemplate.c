/* PodTemplates: templates that are kept as objects of their own. */
#include "json/json.h"
#include "kinds/checks.h"
#include "kinds/fields.h"
#include "kinds/podspec.h"

static const struct field fields[] = {
    FIELD_METADATA,
    {"template", F_OBJECT, .sub = pod_template_spec_fields, .dflt = "{}", .doc = "The pods."},
    {0},
};

static json_t *cell_containers(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_joined(jget(obj, "template.spec.containers"), "name");
}

static json_t *cell_images(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_joined(jget(obj, "template.spec.containers"), "image");
}

static json_t *cell_labels(const json_t *obj, int64_t now_usec)
{
    (void)now_usec;
    return cell_map_selector(jget(obj, "template.metadata.labels"));
}

static const struct column columns[] = {
    {"Name", "string", "name", 0, cell_name},
    {"Containers", "string", "", 0, cell_containers},
    {"Images", "string", "", 0, cell_images},
    {"Pod Labels", "string", "", 0, cell_labels},
    {0},
};

static void default_more(json_t *obj)
{
    if (jget(obj, "template.spec"))
        pod_spec_default(jget(obj, "template.spec"));
}

static void validate(const json_t *obj, const json_t *old, struct status_causes *causes)
{
    (void)old;
    pod_spec_validate(jget(obj, "template.spec"), "template.spec", causes);
}

const struct kind kind_podtemplate = {
    .group = "",
    .version = "v1",
    .kind = "PodTemplate",
    .plural = "podtemplates",
    .singular = "podtemplate",
    .list_kind = "PodTemplateList",
    .namespaced = true,
    .verbs = V_ALL,
    .fields = fields,
    .columns = columns,
    .check_name = check_dns_subdomain,
    .has_generation = true,
    .default_more = default_more,
    .validate = validate,
};
