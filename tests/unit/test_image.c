/* node/image: references, and layouts made by hand that are imported, looked up, and refused when they lie. Needs root
 * (layers carry owners and devices). */
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "json/json.h"
#include "node/image.h"
#include "node/imagegc.h"
#include "t.h"

static char dir[] = "/tmp/c8s-test-image-XXXXXX";

TEST(references_are_made_whole)
{
    static const struct {
        const char *ref, *want;
    } rows[] = {
        {"nginx", "docker.io/library/nginx:latest"},
        {"nginx:1.25", "docker.io/library/nginx:1.25"},
        {"luksa/kubia", "docker.io/luksa/kubia:latest"},
        {"radial/busyboxplus:curl", "docker.io/radial/busyboxplus:curl"},
        {"docker.io/nginx", "docker.io/library/nginx:latest"},
        {"localhost/a", "localhost/a:latest"},
        {"127.0.0.1:5000/a/b:c", "127.0.0.1:5000/a/b:c"},
        {"quay.io/x/y_z:v1", "quay.io/x/y_z:v1"},
        {"a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "docker.io/library/a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {"", NULL},
        {"Nginx", NULL},
        {"a//b", NULL},
        {"a:", NULL},
        {"a:b:c", NULL},
        {"../../etc", NULL},
        {"a@sha256:12", NULL},
        {"-a", NULL},
        {"a b", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_free_ char *got = image_normalize(rows[i].ref);
        T_STR(got, rows[i].want);
    }
}

TEST(credentials_of_several_secrets)
{
    _cleanup_json_ json_t *now = json_pack("{s{ss}}", "data", ".dockerconfigjson",
                                           "eyJhdXRocyI6IHsib25lOjUwMDAiOiB7ImF1dGgiOiAiWVRwaSJ9LCAidHdvIjogeyJ1c2VybmF"
                                           "tZSI6ICJ1IiwgInBhc3N3b3JkIjogInAifX19");
    _cleanup_json_ json_t *old =
        json_pack("{s{ss}}", "data", ".dockercfg",
                  "eyJ0d28iOiB7ImF1dGgiOiAiYkc5emRBPT0ifSwgInRocmVlIjogeyJhdXRoIjogIll6cGtDZz09In19");
    _cleanup_json_ json_t *bad = json_pack("{s{ss}}", "data", ".dockerconfigjson", "no base64");
    const json_t *all[] = {bad, now, old};
    _cleanup_json_ json_t *auths = image_auths(all, ARRAY_LEN(all));
    T_JSON(jget(auths, "auths"), "{\"one:5000\":{\"auth\":\"YTpi\"},"
                                 "\"two\":{\"username\":\"u\",\"password\":\"p\",\"auth\":\"dTpw\"},"
                                 "\"three\":{\"auth\":\"YzpkCg==\"}}");
    T_TRUE(image_auths(all, 1) == NULL);
}

TEST(only_this_machine_may_answer_without_tls)
{
    T_TRUE(image_is_local("127.0.0.1:5000/a:b") && image_is_local("localhost:5000/a") && image_is_local("localhost/a"));
    T_TRUE(!image_is_local("docker.io/library/localhost:1") && !image_is_local("localhost.evil.org/a"));
}

static void put(const char *path, const void *data, size_t len)
{
    struct err err;
    _cleanup_free_ char *full = xasprintf("%s/%s", dir, path);
    _cleanup_free_ char *parent = xstrdup(full);
    *strrchr(parent, '/') = '\0';
    if (dir_make(parent, 0755, &err) < 0 || file_write_atomic(full, data, len, 0644, &err) < 0)
        T_FAIL("%s", err.msg);
}

static void digest_of(const void *data, size_t len, char out[72])
{
    unsigned char sum[32];
    EVP_Digest(data, len, sum, NULL, EVP_sha256(), NULL);
    strcpy(out, "sha256:");
    str_hex(sum, sizeof(sum), out + 7);
}

static void put_blob(const char *layout, const char *data, size_t len, char digest[72])
{
    digest_of(data, len, digest);
    _cleanup_free_ char *path = xasprintf("%s/blobs/sha256/%s", layout, digest + 7);
    put(path, data, len);
}

/* A layout of one image whose only layer is the given tar (made by tar(1) from `files`, a shell line run in an empty
 * dir). */
static void make_layout(const char *layout, const char *name, const char *files)
{
    _cleanup_free_ char *line = xasprintf(
        "set -e; rm -rf %s/tree; mkdir %s/tree; cd %s/tree; %s; tar -cf ../layer.tar .", dir, dir, dir, files);
    _cleanup_free_ char *tar_path = xasprintf("%s/layer.tar", dir);
    struct err err;
    size_t len = 0;
    T_INT(system(line), 0);
    _cleanup_free_ char *tar = file_read(tar_path, 1 << 20, &len, &err);
    char layer[72], config[72], manifest[72];
    put_blob(layout, tar, len, layer);
    _cleanup_free_ char *config_text =
        xasprintf("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"/run\"]},"
                  "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
                  layer);
    put_blob(layout, config_text, strlen(config_text), config);
    _cleanup_free_ char *manifest_text =
        xasprintf("{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\"},\"layers\":[{\"digest\":\"%s\",\"size\":%zu}]}",
                  config, layer, len);
    put_blob(layout, manifest_text, strlen(manifest_text), manifest);
    _cleanup_free_ char *index_text =
        xasprintf("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
                  "\"digest\":\"%s\",\"annotations\":{\"org.opencontainers.image.ref.name\":\"%s\"}}]}",
                  manifest, name);
    _cleanup_free_ char *index = xasprintf("%s/index.json", layout);
    put(index, index_text, strlen(index_text));
}

TEST(a_layout_is_imported_and_found)
{
    struct err err = {0};
    struct image image = {0};
    char **refs = NULL;
    _cleanup_free_ char *data = xasprintf("%s/data", dir), *layout = xasprintf("%s/one", dir);
    T_INT(mkdir(data, 0700), 0);
    T_TRUE(image_lookup(data, "web", &image, &err) < 0 && err.code == 2);
    make_layout("one", "web",
                "mkdir -p etc/x; echo hi > etc/hello; touch etc/.wh.gone etc/x/.wh..wh..opq; ln etc/hello b");
    T_INT(image_import(data, layout, NULL, &refs, &err), 0);
    T_STR(refs ? refs[0] : NULL, "docker.io/library/web:latest");
    free(refs);
    if (image_lookup(data, "web", &image, &err) < 0) {
        T_FAIL("%s", err.msg);
        return;
    }
    struct stat st;
    _cleanup_free_ char *gone = xasprintf("%s/etc/gone", image.layers[0]), *hello = xasprintf("%s/b", image.layers[0]);
    T_TRUE(stat(gone, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0);
    T_TRUE(stat(hello, &st) == 0 && st.st_nlink == 2);
    T_TRUE(!image.layers[1]);
    image_done(&image);
    json_t *list = image_list(data, &err);
    T_INT(json_array_size(list), 1);
    json_decref(list);
    T_INT(image_import(data, layout, "other:v2", NULL, &err), 0);
    T_INT(image_lookup(data, "other:v2", &image, &err), 0);
    image_done(&image);
}

TEST(a_layout_that_lies_changes_nothing)
{
    struct err err = {0};
    struct image image = {0};
    _cleanup_free_ char *data = xasprintf("%s/data", dir), *layout = xasprintf("%s/two", dir);
    make_layout("two", "liar", "echo two > f");
    _cleanup_free_ char *spoil = xasprintf("for f in %s/two/blobs/sha256/*; do echo >> $f; done", dir);
    T_INT(system(spoil), 0);
    T_TRUE(image_import(data, layout, NULL, NULL, &err) < 0);
    T_TRUE(strstr(err.msg, "does not have the digest") != NULL);
    T_TRUE(image_lookup(data, "liar", &image, &err) < 0);
    _cleanup_free_ char *nothing = xasprintf("%s/layer.tar", dir);
    T_TRUE(image_import(data, nothing, NULL, NULL, &err) < 0 && strstr(err.msg, "neither a docker-archive nor"));
    T_TRUE(image_import(data, "/nowhere", NULL, NULL, &err) < 0);
}

TEST(a_layer_cannot_leave_its_directory)
{
    struct err err = {0};
    _cleanup_free_ char *data = xasprintf("%s/data", dir), *layout = xasprintf("%s/three", dir);
    _cleanup_free_ char *victim = xasprintf("%s/victim", dir), *files = xasprintf("ln -s %s out", dir);
    /* First the link, then a file through it: one archive appended to the other. */
    make_layout("three", "escape", files);
    _cleanup_free_ char *line = xasprintf("cd %s && rm -rf tree && mkdir -p tree/out && echo x > tree/out/victim && "
                                          "tar -rf layer.tar -C tree out/victim",
                                          dir);
    T_INT(system(line), 0);
    _cleanup_free_ char *remake = xasprintf("cp %s/layer.tar %s/evil.tar", dir, dir);
    T_INT(system(remake), 0);
    size_t len = 0;
    _cleanup_free_ char *path = xasprintf("%s/evil.tar", dir);
    _cleanup_free_ char *tar = file_read(path, 1 << 20, &len, &err);
    char layer[72], config[72], manifest[72];
    put_blob("three", tar, len, layer);
    _cleanup_free_ char *config_text = xasprintf("{\"config\":{},\"rootfs\":{\"diff_ids\":[\"%s\"]}}", layer);
    put_blob("three", config_text, strlen(config_text), config);
    _cleanup_free_ char *manifest_text =
        xasprintf("{\"config\":{\"digest\":\"%s\"},\"layers\":[{\"digest\":\"%s\"}]}", config, layer);
    put_blob("three", manifest_text, strlen(manifest_text), manifest);
    _cleanup_free_ char *index_text = xasprintf("{\"manifests\":[{\"digest\":\"%s\"}]}", manifest);
    put("three/index.json", index_text, strlen(index_text));
    T_TRUE(image_import(data, layout, "escape", NULL, &err) < 0);
    T_TRUE(access(victim, F_OK) < 0);
}

TEST(an_image_goes_and_leaves_what_others_share)
{
    struct err err = {0};
    struct image image = {0};
    _cleanup_free_ char *data = xasprintf("%s/data", dir), *layout = xasprintf("%s/four", dir);
    make_layout("four", "four", "echo four > f");
    T_INT(image_import(data, layout, NULL, NULL, &err), 0);
    T_INT(image_lookup(data, "four", &image, &err), 0);
    _cleanup_free_ char *layer = xstrdup(image.layers[0]);
    image_done(&image);
    T_INT(image_remove(data, (const char *[]){"docker.io/library/web:latest", NULL}, &err), 0);
    T_TRUE(image_lookup(data, "web", &image, &err) < 0);
    T_INT(image_lookup(data, "other:v2", &image, &err), 0); /* the same image by another name */
    T_INT(access(image.layers[0], F_OK), 0);
    image_done(&image);
    T_INT(image_remove(data, (const char *[]){"docker.io/library/four:latest", NULL}, &err), 0);
    T_TRUE(access(layer, F_OK) < 0);
}

#define MINUTE (60 * INT64_C(1000000))

TEST(images_go_when_the_disk_is_full_the_longest_unused_first)
{
    const int64_t now = 1000 * MINUTE;
    struct gc_image images[] = {
        {"new", 50, now - MINUTE, false, false},      {"used", 50, now - 900 * MINUTE, true, false},
        {"old", 4, now - 800 * MINUTE, false, false}, {"older", 3, now - 850 * MINUTE, false, false},
        {"last", 9, now - 5 * MINUTE, false, false},
    };
    T_INT(image_gc_excess(840, 1000), 0);
    T_INT(image_gc_excess(0, 0), 0);
    T_INT(image_gc_excess(855, 1000), 55);
    T_INT(image_gc_choose(images, 5, 55, now), 3 + 4 + 9); /* the new one stays */
    for (size_t i = 0; i < 5; i++)
        images[i].doomed = false;
    T_INT(image_gc_choose(images, 5, 16, now), 16);
    struct gc_image enough[] = {{"a", 30, 2, false, false}, {"b", 30, 1, false, false}, {"c", 30, 3, false, false}};
    T_INT(image_gc_choose(enough, 3, 60, now), 60);
    T_STR(enough[0].reference, "b");
    T_TRUE(enough[0].doomed && enough[1].doomed && !enough[2].doomed);
}

int main(void)
{
    struct err err;
    if (geteuid() != 0 || !mkdtemp(dir)) {
        fputs("test_image needs root\n", stderr);
        return 1;
    }
    RUN(references_are_made_whole);
    RUN(credentials_of_several_secrets);
    RUN(only_this_machine_may_answer_without_tls);
    RUN(a_layout_is_imported_and_found);
    RUN(a_layout_that_lies_changes_nothing);
    RUN(a_layer_cannot_leave_its_directory);
    RUN(an_image_goes_and_leaves_what_others_share);
    RUN(images_go_when_the_disk_is_full_the_longest_unused_first);
    (void)tree_remove(dir, &err);
    return DONE();
}
