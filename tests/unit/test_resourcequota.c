/* control: what a ResourceQuota reports is what is there, after any changes: kept step by step or counted anew, it is
 * the same. */
#include "bench.h"
#include "control/list.h"
#include "kinds/quotasum.h"
#include "t.h"

static void set_quota(struct bench *b, const char *hard)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"namespace\":\"a\",\"name\":\"q\"},\"spec\":{\"hard\":{%s}}}", hard);
    _cleanup_free_ char *patch = xasprintf("{\"spec\":{\"hard\":null}}"),
                        *more = xasprintf("{\"spec\":{\"hard\":{%s}}}", hard);
    if (!fake_get(b->fake, &kind_resourcequota, "a", "q")) {
        fake_set(b->fake, &kind_resourcequota, text);
        return;
    }
    fake_edit(b->fake, &kind_resourcequota, "a", "q", patch);
    fake_edit(b->fake, &kind_resourcequota, "a", "q", more);
}

static void random_change(struct bench *b)
{
    static const char *const phases[] = {"Pending", "Running", "Succeeded"};
    char name[8], text[300];
    const struct kind *k = fake_rand(b->fake, 4) ? &kind_pod : &kind_configmap;
    snprintf(name, sizeof(name), "n%u", fake_rand(b->fake, 12));
    const char *ns = fake_rand(b->fake, 5) ? "a" : "b";
    if (fake_get(b->fake, k, ns, name) && fake_rand(b->fake, 2)) {
        fake_delete(b->fake, k, ns, name);
    } else if (fake_get(b->fake, k, ns, name)) {
        snprintf(text, sizeof(text), "{\"status\":{\"phase\":\"%s\"}}", phases[fake_rand(b->fake, 3)]);
        fake_edit(b->fake, k, ns, name, text);
    } else {
        snprintf(text, sizeof(text),
                 "{\"metadata\":{\"namespace\":\"%s\",\"name\":\"%s\"},\"spec\":{\"containers\":[{\"name\":\"c\","
                 "\"resources\":{\"requests\":{\"cpu\":\"%u00m\"},\"limits\":{\"memory\":\"%uMi\"}}}]}}",
                 ns, name, 1 + fake_rand(b->fake, 9), 1 + fake_rand(b->fake, 900));
        fake_set(b->fake, k, text);
    }
}

static void count_kind(struct bench *b, const struct kind *k, struct quota_sums *sums)
{
    struct map_entry *cursor = NULL;
    for (struct object *o; (o = fake_next(b->fake, k, &cursor));)
        if (streq(o->ns, "a"))
            quota_sums_add(sums, o);
}

static void check(struct bench *b)
{
    _cleanup_json_ json_t *quota = fake_json(b->fake, &kind_resourcequota, "a", "q");
    struct quota_sums *sums = quota_sums_new(quota, NULL);
    count_kind(b, &kind_pod, sums);
    count_kind(b, &kind_configmap, sums);
    count_kind(b, &kind_resourcequota, sums);
    _cleanup_json_ json_t *want = quota_sums_used(sums);
    _cleanup_free_ char *text = jprint(want);
    T_JSON(jget(quota, "status.used"), text);
    quota_sums_free(sums);
}

TEST(kept_is_as_counted)
{
    static const char *const hards[] = {
        "\"pods\":\"5\",\"requests.cpu\":\"4\",\"limits.memory\":\"1Gi\",\"configmaps\":\"3\"",
        "\"cpu\":\"9\",\"resourcequotas\":\"1\",\"count/configmaps\":\"10\"",
    };
    for (unsigned seed = 0; seed < 12; seed++) {
        struct bench *b = bench_new(seed);
        b->agent = false;
        controllers_add(b->cs, &resourcequota_controller);
        controllers_start(b->cs);
        for (int i = 0; i < 8; i++)
            random_change(b);
        for (int round = 0; round < 12; round++) {
            if (round % 5 == 0)
                set_quota(b, hards[round / 5 % 2]);
            for (unsigned n = fake_rand(b->fake, 6); n; n--)
                random_change(b);
            bench_run_with(b, NULL, true);
            check(b);
        }
        bench_free(b);
    }
}

int main(void)
{
    RUN(kept_is_as_counted);
    return DONE();
}
