/* control: claims and volumes find each other, against the fake API. */
#include "bench.h"
#include "control/list.h"
#include "kinds/binding.h"
#include "t.h"

static struct bench *cluster(unsigned seed)
{
    struct bench *b = bench_new(seed);
    controllers_add(b->cs, &volumebinder_controller);
    controllers_add(b->cs, &volumeprotection_controller);
    controllers_add(b->cs, &localpath_controller);
    controllers_add(b->cs, &ephemeralvolume_controller);
    controllers_start(b->cs);
    b->agent = false;
    return b;
}

static void volume(struct bench *b, const char *name, const char *size, const char *more)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"name\":\"%s\",\"labels\":{\"n\":\"%s\"},\"finalizers\":[\"kubernetes.io/"
                  "pv-protection\"]},\"spec\":{\"capacity\":{\"storage\":\"%s\"},\"accessModes\":[\"ReadWriteOnce\"],"
                  "\"hostPath\":{\"path\":\"/x\"}%s}}",
                  name, name, size, more);
    fake_set(b->fake, &kind_persistentvolume, text);
}

static void claim(struct bench *b, const char *name, const char *size, const char *more)
{
    const char *modes = strstr(more, "accessModes") ? "" : ",\"accessModes\":[\"ReadWriteOnce\"]";
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"namespace\":\"a\",\"name\":\"%s\",\"finalizers\":[\"" CLAIM_PROTECTION
                  "\"]},\"spec\":{\"resources\":{\"requests\":{\"storage\":\"%s\"}}%s%s}}",
                  name, size, modes, more);
    fake_set(b->fake, &kind_persistentvolumeclaim, text);
}

static void class(struct bench *b, const char *name, const char *mode, bool is_default)
{
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"name\":\"%s\",\"annotations\":{\"" DEFAULT_CLASS
                  "\":\"%s\"}},\"provisioner\":\"" LOCAL_PATH_PROVISIONER "\",\"volumeBindingMode\":\"%s\"}",
                  name, is_default ? "true" : "false", mode);
    fake_set(b->fake, &kind_storageclass, text);
}

static void node(struct bench *b, const char *name)
{
    _cleanup_free_ char *text = xasprintf(
        "{\"metadata\":{\"name\":\"%s\",\"annotations\":{\"" LOCAL_PATH_DIRECTORY
        "\":\"/data/volumes\"},\"labels\":{\"kubernetes.io/hostname\":\"%s\"}},\"status\":{\"conditions\":[{\"type\":"
        "\"Ready\",\"status\":\"True\"}]}}",
        name, name);
    fake_set(b->fake, &kind_node, text);
}

static void request_delete(struct bench *b, const struct kind *k, const char *ns, const char *name)
{
    fake_edit(b->fake, k, ns, name, "{\"metadata\":{\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}");
}

/* "Phase volume" of a claim, "Phase claim" of a volume; "-" for one that is gone. */
static const char *claim_is(struct bench *b, const char *name)
{
    static char text[256];
    _cleanup_json_ json_t *doc = fake_json(b->fake, &kind_persistentvolumeclaim, "a", name);
    snprintf(text, sizeof(text), "%s %s", jstr_or(doc, "status.phase", "-"), jstr_or(doc, "spec.volumeName", "-"));
    return text;
}

static const char *volume_is(struct bench *b, const char *name)
{
    static char text[256];
    _cleanup_json_ json_t *doc = fake_json(b->fake, &kind_persistentvolume, "", name);
    snprintf(text, sizeof(text), "%s %s", jstr_or(doc, "status.phase", "-"), jstr_or(doc, "spec.claimRef.name", "-"));
    return text;
}

TEST(the_smallest_that_serves)
{
    static const struct {
        const char *size, *more, *want;
    } rows[] = {
        {"1Gi", "", "Bound two"},
        {"2Gi", "", "Bound two"},
        {"3Gi", "", "Bound five"},
        {"9Gi", "", "Pending -"},
        {"1Gi", ",\"selector\":{\"matchLabels\":{\"n\":\"five\"}}", "Bound five"},
        {"1Gi", ",\"selector\":{\"matchLabels\":{\"n\":\"six\"}}", "Pending -"},
        {"1Gi", ",\"storageClassName\":\"slow\"", "Bound slow"},
        {"1Gi", ",\"storageClassName\":\"none\"", "Pending -"},
        {"1Gi", ",\"volumeMode\":\"Block\"", "Pending -"},
        {"1Gi", ",\"accessModes\":[\"ReadWriteMany\"]", "Pending -"},
        {"1Gi", ",\"volumeName\":\"five\"", "Bound five"},
        {"9Gi", ",\"volumeName\":\"five\"", "Pending five"},
        {"1Gi", ",\"volumeName\":\"none\"", "Pending none"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench *b = cluster((unsigned)i);
        volume(b, "five", "5Gi", "");
        volume(b, "two", "2Gi", "");
        volume(b, "slow", "8Gi", ",\"storageClassName\":\"slow\"");
        volume(b, "kept", "1Gi", ",\"claimRef\":{\"namespace\":\"a\",\"name\":\"other\"}");
        bench_run(b);
        claim(b, "c", rows[i].size, rows[i].more);
        bench_run(b);
        T_STR(claim_is(b, "c"), rows[i].want);
        T_STR(volume_is(b, "kept"), "Available other");
        bench_free(b);
    }
}

TEST(a_volume_may_be_kept_for_a_name)
{
    struct bench *b = cluster(1);
    volume(b, "big", "50Gi", ",\"claimRef\":{\"namespace\":\"a\",\"name\":\"c\"}");
    volume(b, "two", "2Gi", "");
    claim(b, "c", "1Gi", "");
    bench_run(b);
    T_STR(claim_is(b, "c"), "Bound big");
    _cleanup_json_ json_t *doc = fake_json(b->fake, &kind_persistentvolumeclaim, "a", "c");
    T_STR(jstr(doc, "status.capacity.storage"), "50Gi");
    T_STR(annotation_of(doc, BIND_COMPLETED), "yes");
    bench_free(b);
}

TEST(what_becomes_of_volumes)
{
    struct bench *b = cluster(2);
    volume(b, "retain", "1Gi", ",\"persistentVolumeReclaimPolicy\":\"Retain\"");
    volume(b, "delete", "2Gi", ",\"persistentVolumeReclaimPolicy\":\"Delete\"");
    volume(b, "recycle", "3Gi", ",\"persistentVolumeReclaimPolicy\":\"Recycle\"");
    bench_run(b);
    claim(b, "c1", "1Gi", "");
    claim(b, "c2", "2Gi", ",\"volumeName\":\"delete\"");
    claim(b, "c3", "3Gi", ",\"volumeName\":\"recycle\"");
    bench_run(b);
    T_STR(volume_is(b, "recycle"), "Bound c3");
    for (int i = 1; i <= 3; i++) {
        char name[3] = {'c', (char)('0' + i), 0};
        request_delete(b, &kind_persistentvolumeclaim, "a", name);
    }
    bench_run(b);
    T_STR(claim_is(b, "c1"), "- -");
    T_STR(volume_is(b, "retain"), "Released c1");
    T_STR(volume_is(b, "delete"), "Failed c2");
    T_STR(volume_is(b, "recycle"), "Failed c3");
    bench_free(b);
}

TEST(claims_lose_volumes)
{
    struct bench *b = cluster(3);
    volume(b, "v", "1Gi", "");
    bench_run(b);
    claim(b, "c", "1Gi", "");
    bench_run(b);
    request_delete(b, &kind_persistentvolume, "", "v");
    bench_run(b);
    T_STR(volume_is(b, "v"), "Bound c"); /* protected */
    fake_delete(b->fake, &kind_persistentvolume, "", "v");
    bench_run(b);
    T_STR(claim_is(b, "c"), "Lost v");
    bench_free(b);
}

TEST(claims_in_use_stay)
{
    struct bench *b = cluster(4);
    fake_set(b->fake, &kind_pod,
             "{\"metadata\":{\"namespace\":\"a\",\"name\":\"p\"},\"spec\":{\"nodeName\":\"n1\",\"volumes\":[{\"name\":"
             "\"d\",\"persistentVolumeClaim\":{\"claimName\":\"c\"}}]}}");
    claim(b, "c", "1Gi", "");
    bench_run(b);
    request_delete(b, &kind_persistentvolumeclaim, "a", "c");
    bench_run(b);
    T_STR(claim_is(b, "c"), "Pending -");
    fake_delete(b->fake, &kind_pod, "a", "p");
    bench_run(b);
    T_STR(claim_is(b, "c"), "- -");
    bench_free(b);
}

static void first_volume(struct bench *b, char name[256])
{
    struct map_entry *cursor = NULL;
    struct object *o = fake_next(b->fake, &kind_persistentvolume, &cursor);
    snprintf(name, 256, "%s", o ? o->name : "");
}

TEST(local_path_waits_makes_grows_and_goes)
{
    char name[256];
    struct bench *b = cluster(5);
    node(b, "n1");
    node(b, "n2");
    class(b, "wait", "WaitForFirstConsumer", true);
    claim(b, "c", "1Gi", ",\"storageClassName\":\"wait\"");
    bench_run(b);
    T_STR(claim_is(b, "c"), "Pending -");
    T_INT(fake_count(b->fake, &kind_persistentvolume), 0);
    fake_edit(b->fake, &kind_persistentvolumeclaim, "a", "c",
              "{\"metadata\":{\"annotations\":{\"" SELECTED_NODE "\":\"n2\"}}}");
    bench_run(b);
    T_INT(fake_count(b->fake, &kind_persistentvolume), 1);
    first_volume(b, name);
    T_STR(volume_is(b, name), "Bound c");
    _cleanup_json_ json_t *doc = fake_json(b->fake, &kind_persistentvolume, "", name);
    _cleanup_json_ json_t *n1 = json_pack("{ss}", "kubernetes.io/hostname", "n1");
    _cleanup_json_ json_t *n2 = json_pack("{ss}", "kubernetes.io/hostname", "n2");
    T_TRUE(volume_reaches(doc, "n2", n2) && !volume_reaches(doc, "n1", n1));
    fake_edit(b->fake, &kind_persistentvolumeclaim, "a", "c",
              "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"3Gi\"}}}}");
    bench_run(b);
    _cleanup_json_ json_t *grown = fake_json(b->fake, &kind_persistentvolumeclaim, "a", "c");
    T_STR(jstr(grown, "status.capacity.storage"), "3Gi");
    request_delete(b, &kind_persistentvolumeclaim, "a", "c");
    bench_run(b);
    T_STR(volume_is(b, name), "Released c"); /* the agent's turn */
    _cleanup_json_ json_t *going = fake_json(b->fake, &kind_persistentvolume, "", name);
    T_TRUE(jget(going, "metadata.deletionTimestamp"));
    fake_delete(b->fake, &kind_node, "", "n2"); /* no agent is left */
    bench_run(b);
    T_STR(volume_is(b, name), "- -");
    bench_free(b);
}

TEST(local_path_at_once_and_default_class_afterwards)
{
    struct bench *b = cluster(6);
    node(b, "n1");
    claim(b, "c", "1Gi", "");
    claim(b, "none", "1Gi", ",\"storageClassName\":\"\"");
    bench_run(b);
    T_STR(claim_is(b, "c"), "Pending -");
    class(b, "now", "Immediate", true);
    bench_run(b);
    T_TRUE(str_after(claim_is(b, "c"), "Bound pvc-"));
    T_STR(claim_is(b, "none"), "Pending -");
    bench_free(b);
}

TEST(ephemeral_volumes_have_claims)
{
    struct bench *b = cluster(7);
    fake_set(b->fake, &kind_pod,
             "{\"metadata\":{\"namespace\":\"a\",\"name\":\"p\"},\"spec\":{\"volumes\":[{\"name\":\"d\",\"ephemeral\":{"
             "\"volumeClaimTemplate\":{\"metadata\":{\"labels\":{\"x\":\"y\"}},\"spec\":{\"accessModes\":["
             "\"ReadWriteOnce\"],\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}}}}}]}}");
    bench_run(b);
    _cleanup_json_ json_t *doc = fake_json(b->fake, &kind_persistentvolumeclaim, "a", "p-d");
    T_STR(jstr(json_array_get(jget(doc, "metadata.ownerReferences"), 0), "name"), "p");
    T_STR(jstr(doc, "metadata.labels.x"), "y");
    bench_free(b);
}

/* Any number of claims and volumes, any order, failures: in the end every volume is bound once at most, both sides
 * agree, and no claim waits while a volume is free that serves it. */
TEST(property_everybody_gets_one_volume)
{
    for (unsigned seed = 0; seed < 40; seed++) {
        struct bench *b = cluster(seed);
        int n = 2 + (int)fake_rand(b->fake, 6);
        b->fake->fail_percent = (int)fake_rand(b->fake, 20);
        for (int i = 0; i < 2 * n; i++) {
            char name[16], size[16];
            snprintf(name, sizeof(name), "x%d", i);
            snprintf(size, sizeof(size), "%uGi", 1 + fake_rand(b->fake, 4));
            if (fake_rand(b->fake, 2))
                volume(b, name, size, "");
            else
                claim(b, name, size, "");
            if (fake_rand(b->fake, 2))
                bench_run_with(b, NULL, true);
        }
        b->fake->fail_percent = 0;
        bench_run_with(b, NULL, true);
        struct map_entry *cursor = NULL;
        for (struct object *o; (o = fake_next(b->fake, &kind_persistentvolumeclaim, &cursor));) {
            _cleanup_json_ json_t *c = object_json(o);
            _cleanup_json_ json_t *v =
                fake_json(b->fake, &kind_persistentvolume, "", jstr_or(c, "spec.volumeName", "-"));
            bool bound = streq(jstr_or(c, "status.phase", ""), "Bound");
            T_TRUE(bound == (v != NULL));
            T_TRUE(!v || (volume_is_claimed_by(v, c) && streq(jstr_or(v, "status.phase", ""), "Bound")));
            struct map_entry *inner = NULL;
            for (struct object *w; !bound && (w = fake_next(b->fake, &kind_persistentvolume, &inner));) {
                _cleanup_json_ json_t *free_one = object_json(w);
                T_TRUE(!volume_serves(free_one, c));
            }
        }
        bench_free(b);
    }
}

int main(void)
{
    RUN(the_smallest_that_serves);
    RUN(a_volume_may_be_kept_for_a_name);
    RUN(what_becomes_of_volumes);
    RUN(claims_lose_volumes);
    RUN(claims_in_use_stay);
    RUN(local_path_waits_makes_grows_and_goes);
    RUN(local_path_at_once_and_default_class_afterwards);
    RUN(ephemeral_volumes_have_claims);
    RUN(property_everybody_gets_one_volume);
    return DONE();
}
