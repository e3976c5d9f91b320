/* Images from registries, through skopeo: which version the registry has is asked first, so that what is there already
 * is not fetched again, and what is fetched is exactly that version. See image.h. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"
#include "json/json.h"
#include "node/image_impl.h"

#define MANIFEST_MAX (4 << 20) /* as registries have it */
#define COMPLAINT_MAX 600
#define SKOPEO_ARGS 16

extern char **environ;

/* --- skopeo --- */

struct skopeo {
    const char *argv[SKOPEO_ARGS];
    size_t n;
};

static void say(struct skopeo *s, const char *word)
{
    s->argv[s->n++] = word;
}

static struct skopeo command(const char *name, const char *authfile, const char *no_tls)
{
    struct skopeo s = {0};
    say(&s, "skopeo");
    say(&s, "--insecure-policy");
    say(&s, name);
    if (authfile) {
        say(&s, "--authfile");
        say(&s, authfile);
    }
    if (no_tls)
        say(&s, no_tls);
    return s;
}

/* time="…" level=fatal msg="text \"quoted\"": the text. */
static void set_complaint(struct err *err, const char *said)
{
    static const char mark[] = "msg=\"";
    const char *at = strstr(said, mark);
    if (!at) {
        err_set(err, 0, "%.*s", (int)strcspn(said, "\n"), said);
        return;
    }
    struct buf text = BUF_INIT(COMPLAINT_MAX);
    for (at += strlen(mark); *at && *at != '"'; at++) {
        at += *at == '\\' && at[1];
        buf_addc(&text, *at);
    }
    err_set(err, 0, "%s", buf_str(&text));
    buf_done(&text);
}

static void read_all(int fd, struct buf *out)
{
    char chunk[4096];
    for (ssize_t n; (n = read(fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR);)
        buf_add(out, chunk, n > 0 ? (size_t)n : 0);
}

/* out: what it prints, NULL: nothing is expected. */
static int run(struct skopeo *s, struct buf *out, struct err *err)
{
    posix_spawn_file_actions_t actions;
    int ends[2], status;
    pid_t pid;
    struct buf said = BUF_INIT(MANIFEST_MAX);
    say(s, NULL);
    _cleanup_close_ int errors = memfd_create("skopeo", MFD_CLOEXEC);
    if (errors < 0 || pipe2(ends, O_CLOEXEC) < 0)
        return err_set(err, errno, "run skopeo");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, errors, 2);
    int failed = posix_spawnp(&pid, s->argv[0], &actions, NULL, (char **)s->argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (!failed)
        read_all(ends[0], out ? out : &said);
    close(ends[0]);
    if (failed)
        return err_set(err, failed, "run skopeo");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    buf_clear(&said);
    (void)lseek(errors, 0, SEEK_SET);
    read_all(errors, &said);
    if (status)
        set_complaint(err, buf_str(&said));
    buf_done(&said);
    return status ? -1 : 0;
}

int skopeo_copy(const char *from, const char *to, const char *authfile, struct err *err)
{
    const char *registry = str_after(from, "docker://");
    struct skopeo s = command("copy", authfile, registry && image_is_local(registry) ? "--src-tls-verify=false" : NULL);
    say(&s, "--quiet");
    say(&s, from);
    say(&s, to);
    return run(&s, NULL, err);
}

/* --- what the registry has --- */

/* Digest of the manifest, or index, that the reference leads to. */
static int ask_digest(const char *reference, const char *authfile, char out[72], struct err *err)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len;
    struct buf manifest = BUF_INIT(MANIFEST_MAX);
    _cleanup_free_ char *from = xasprintf("docker://%s", reference);
    struct skopeo s = command("inspect", authfile, image_is_local(reference) ? "--tls-verify=false" : NULL);
    say(&s, "--raw");
    say(&s, from);
    int r = run(&s, &manifest, err);
    if (r == 0 && manifest.overflowed)
        r = err_set(err, 0, "the manifest of %s is too large", reference);
    if (r == 0) {
        EVP_Digest(manifest.data, manifest.len, sum, &len, EVP_sha256(), NULL);
        str_hex(sum, len, stpcpy(out, "sha256:"));
    }
    buf_done(&manifest);
    return r;
}

/* "REGISTRY/NAME:TAG" and a digest -> "REGISTRY/NAME@sha256:…" */
static char *pinned(const char *reference, const char *digest)
{
    const char *at = strchr(reference, '@'), *slash = strrchr(reference, '/'), *tag = strrchr(reference, ':');
    const char *end = at ? at : tag > slash ? tag : reference + strlen(reference);
    return xasprintf("%.*s@%s", (int)(end - reference), reference, digest);
}

char *image_repo_digest(const struct image *i)
{
    return i->digest ? pinned(i->reference, i->digest) : xstrdup(i->id);
}

bool image_is_local(const char *reference)
{
    return str_after(reference, "localhost:") || str_after(reference, "localhost/") || str_after(reference, "127.");
}

/* --- credentials --- */

/* Hand-written ones may give name and password and leave "auth" out, which is both. */
static void add_auth(json_t *auths, const char *registry, const json_t *entry)
{
    if (json_object_get(auths, registry))
        return;
    json_t *copy = json_deep_copy(entry);
    if (!jstr(copy, "auth") && jstr(copy, "username")) {
        _cleanup_free_ char *both = xasprintf("%s:%s", jstr(copy, "username"), jstr_or(copy, "password", ""));
        _cleanup_free_ char *packed = base64_encode(both, strlen(both));
        json_object_set_new(copy, "auth", json_string(packed));
    }
    json_object_set_new(auths, registry, copy);
}

/* One key of a Secret, decoded and parsed; NULL when it is not there or no JSON. */
static json_t *secret_document(const json_t *secret, const char *key)
{
    struct err ignored;
    size_t len;
    const char *packed = json_string_value(json_object_get(jget(secret, "data"), key));
    _cleanup_free_ char *text = packed ? base64_decode(packed, strlen(packed), &len) : NULL;
    return text ? jparse(text, len, &ignored) : NULL;
}

json_t *image_auths(const json_t *const *secrets, size_t n)
{
    json_t *auths = json_object(), *entry;
    const char *registry;
    for (size_t i = 0; i < n; i++) {
        _cleanup_json_ json_t *config = secret_document(secrets[i], ".dockerconfigjson");
        _cleanup_json_ json_t *old = config ? NULL : secret_document(secrets[i], ".dockercfg");
        json_object_foreach(config ? jget(config, "auths") : old, registry, entry)
            add_auth(auths, registry, entry);
    }
    if (json_object_size(auths))
        return json_pack("{s:o}", "auths", auths);
    json_decref(auths);
    return NULL;
}

/* The file skopeo reads them from, inside the scratch folder that root alone may enter. */
static int write_auths(const struct image_change *im, const json_t *docker_config, char **ret, struct err *err)
{
    if (!docker_config)
        return 0;
    _cleanup_free_ char *text = jprint(docker_config);
    *ret = xasprintf("%s/auth.json", im->scratch);
    return file_write_atomic(*ret, text, strlen(text), 0600, err);
}

/* --- pulling --- */

static bool is_there(const char *data_dir, const char *reference, const char *digest)
{
    struct err ignored;
    struct image image;
    if (image_lookup(data_dir, reference, &image, &ignored) < 0)
        return false;
    bool same = streq(str_or(image.digest, ""), digest);
    image_done(&image);
    return same;
}

static int pull(struct image_change *im, const char *reference, const json_t *docker_config, struct err *err)
{
    char digest[72];
    _cleanup_free_ char *authfile = NULL;
    if (write_auths(im, docker_config, &authfile, err) < 0 || ask_digest(reference, authfile, digest, err) < 0)
        return -1;
    if (is_there(im->data_dir, reference, digest))
        return 0;
    _cleanup_free_ char *layout = xasprintf("%s/oci", im->scratch), *exact = pinned(reference, digest);
    _cleanup_free_ char *from = xasprintf("docker://%s", exact), *to = xasprintf("oci:%s:image", layout);
    im->layout = layout;
    im->digest = digest;
    return skopeo_copy(from, to, authfile, err) < 0 || image_store_layout(im, reference, err) < 0 ? -1 : 0;
}

int image_pull(const char *data_dir, const char *ref, const json_t *docker_config, struct err *err)
{
    _cleanup_free_ char *reference = image_normalize(ref), *root = realpath(data_dir, NULL);
    if (!reference || !root)
        return err_set(err, 0, reference ? "data directory %s" : "\"%s\" is not an image reference",
                       reference ? data_dir : ref);
    struct image_change im = {.data_dir = root};
    _cleanup_close_ int lock = -1;
    int result = image_change_begin(&im, &lock, err);
    return image_change_finish(&im, result < 0 ? -1 : pull(&im, reference, docker_config, err), err);
}
