/* The image store on disk: see image.h. Other formats than the OCI layout are brought into it by skopeo. */
#include "node/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "json/json.h"
#include "node/image_impl.h"
#include "node/image_layer.h"

#define DOCUMENT_MAX (8 << 20) /* manifests and configs; registries refuse manifests over 4 MiB */
#define LAYERS_MAX 127         /* what overlayfs and docker allow */
#define INDEX_DEPTH 3          /* an index in an index, no further */

/* --- paths --- */

static char *store_path(const char *data_dir, const char *rest)
{
    return xasprintf("%s/images/%s", data_dir, rest);
}

static char *layer_dir(const char *data_dir, const char *diff_id)
{
    const char *hex = str_after(diff_id, "sha256:");
    return xasprintf("%s/images/layers/%s", data_dir, hex ? hex : diff_id);
}

/* "sha256:" and 64 hexadecimal digits: nothing else may become part of a path. */
static bool is_digest(const char *s)
{
    const char *hex = s ? str_after(s, "sha256:") : NULL;
    return hex && strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64;
}

/* --- reading and checking --- */

static json_t *load_document(const char *path, struct err *err)
{
    size_t len;
    _cleanup_free_ char *text = file_read(path, DOCUMENT_MAX, &len, err);
    json_t *doc = text ? jparse(text, len, err) : NULL;
    if (text && !doc)
        err_wrap(err, "%s", path);
    return doc;
}

static int save_document(const char *path, const json_t *doc, struct err *err)
{
    _cleanup_free_ char *text = jprint(doc);
    return file_write_atomic(path, text, strlen(text), 0644, err);
}

json_t *image_index_load(const char *data_dir, struct err *err)
{
    _cleanup_free_ char *path = store_path(data_dir, "index.json");
    json_t *index = load_document(path, err);
    return index || err->code != ENOENT ? index : json_object();
}

int image_index_save(const char *data_dir, const json_t *index, struct err *err)
{
    _cleanup_free_ char *path = store_path(data_dir, "index.json");
    return save_document(path, index, err);
}

static int check_digest(const char *path, const char *digest, struct err *err)
{
    unsigned char sum[EVP_MAX_MD_SIZE], block[65536];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned sum_len;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno, "open %s", path);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    ssize_t n;
    while ((n = read(fd, block, sizeof(block))) > 0)
        EVP_DigestUpdate(ctx, block, (size_t)n);
    EVP_DigestFinal_ex(ctx, sum, &sum_len);
    EVP_MD_CTX_free(ctx);
    if (n < 0)
        return err_set(err, errno, "read %s", path);
    str_hex(sum, sum_len, hex);
    return streq(hex, digest + strlen("sha256:")) ? 0 : err_set(err, 0, "%s does not have the digest %s", path, digest);
}

/* Path of a blob of the layout, its digest checked; NULL on failure. The caller frees. */
static char *blob_path(const char *layout, const char *digest, struct err *err)
{
    if (!is_digest(digest)) {
        err_set(err, 0, "image: bad digest \"%s\"", str_or(digest, ""));
        return NULL;
    }
    _cleanup_free_ char *path = xasprintf("%s/blobs/sha256/%s", layout, digest + strlen("sha256:"));
    return check_digest(path, digest, err) < 0 ? NULL : TAKE(path);
}

static json_t *load_blob(const char *layout, const char *digest, struct err *err)
{
    _cleanup_free_ char *path = blob_path(layout, digest, err);
    return path ? load_document(path, err) : NULL;
}

/* What index.json says of a reference; those of earlier programs say the id alone. */
static const char *entry_id(const json_t *entry)
{
    return json_is_string(entry) ? json_string_value(entry) : jstr(entry, "id");
}

/* --- putting in --- */

/* Unpacks a layer unless it is there already. */
static int store_layer(struct image_change *im, const char *blob, const char *diff_id, int64_t *bytes, struct err *err)
{
    struct stat st;
    _cleanup_free_ char *dir = layer_dir(im->data_dir, diff_id);
    if (stat(dir, &st) == 0)
        return 0;
    _cleanup_free_ char *fresh = xasprintf("%s/layer", im->scratch);
    _cleanup_free_ char *archive = blob_path(im->layout, blob, err);
    if (!archive || tree_remove(fresh, err) < 0 || dir_make(fresh, 0755, err) < 0 ||
        layer_unpack(archive, fresh, bytes, err) < 0)
        return -1;
    sync(); /* the rename must not become durable before the files */
    return rename(fresh, dir) < 0 && errno != EEXIST && errno != ENOTEMPTY ? err_set(err, errno, "store layer %s", dir)
                                                                           : 0;
}

static int store_manifest(struct image_change *im, const json_t *manifest, const char *reference, struct err *err)
{
    const char *config_digest = jstr(manifest, "config.digest");
    _cleanup_json_ json_t *config = load_blob(im->layout, config_digest, err);
    if (!config)
        return -1;
    json_t *layers = jget(manifest, "layers"), *diff_ids = jget(config, "rootfs.diff_ids"), *layer;
    size_t i;
    int64_t size = 0;
    if (json_array_size(layers) != json_array_size(diff_ids) || json_array_size(layers) > LAYERS_MAX)
        return err_set(err, 0, "image %s: layers do not fit its configuration", reference);
    json_array_foreach(layers, i, layer) {
        int64_t bytes = 0;
        const char *diff_id = json_string_value(json_array_get(diff_ids, i));
        if (!is_digest(diff_id) || store_layer(im, jstr(layer, "digest"), diff_id, &bytes, err) < 0)
            return is_digest(diff_id) ? -1 : err_set(err, 0, "image %s: bad diff id", reference);
        size += jint(layer, "size", 0);
    }
    _cleanup_json_ json_t *record = json_pack("{s:s, s:O, s:I}", "id", config_digest, "config", config, "size", size);
    _cleanup_free_ char *path =
        xasprintf("%s/images/manifests/%s.json", im->data_dir, config_digest + strlen("sha256:"));
    json_object_set_new(im->refs, reference, json_pack("{s:s, s:s*}", "id", config_digest, "digest", im->digest));
    return save_document(path, record, err);
}

static bool is_this_machine(const json_t *descriptor)
{
    const char *arch = jstr(descriptor, "platform.architecture"), *os = jstr(descriptor, "platform.os");
#if defined(__x86_64__)
    static const char mine[] = "amd64";
#elif defined(__aarch64__)
    static const char mine[] = "arm64";
#else
#error "name this machine's architecture as OCI does"
#endif
    return arch && os && streq(arch, mine) && streq(os, "linux");
}

static bool is_index(const json_t *descriptor)
{
    return str_ends_with(jstr_or(descriptor, "mediaType", ""), "image.index.v1+json") ||
           str_ends_with(jstr_or(descriptor, "mediaType", ""), "manifest.list.v2+json");
}

/* Stores what a descriptor leads to: a manifest, or the one of an index that fits this machine. */
static int store_descriptor(struct image_change *im, const json_t *descriptor, const char *reference, int depth,
                            struct err *err)
{
    _cleanup_json_ json_t *doc = load_blob(im->layout, jstr(descriptor, "digest"), err);
    if (!doc)
        return -1;
    if (!is_index(descriptor))
        return store_manifest(im, doc, reference, err);
    size_t i;
    json_t *inner;
    json_array_foreach(jget(doc, "manifests"), i, inner)
        if (is_this_machine(inner) && depth > 0)
            return store_descriptor(im, inner, reference, depth - 1, err);
    return err_set(err, 0, "image %s: nothing in it is for this machine", reference);
}

static const char *annotated_name(const json_t *descriptor)
{
    const json_t *notes = jget(descriptor, "annotations");
    const char *full = json_string_value(json_object_get(notes, "io.containerd.image.name"));
    return full ? full : json_string_value(json_object_get(notes, "org.opencontainers.image.ref.name"));
}

int image_store_layout(struct image_change *im, const char *name, struct err *err)
{
    _cleanup_free_ char *path = xasprintf("%s/index.json", im->layout);
    _cleanup_json_ json_t *index = load_document(path, err);
    if (!index)
        return -1;
    json_t *manifests = jget(index, "manifests"), *descriptor;
    size_t i;
    if (!json_array_size(manifests))
        return err_set(err, 0, "%s: no image in it", path);
    if (name && json_array_size(manifests) > 1)
        return err_set(err, 0, "%zu images inside: they keep their own names", json_array_size(manifests));
    json_array_foreach(manifests, i, descriptor) {
        const char *own = name ? name : annotated_name(descriptor);
        _cleanup_free_ char *reference = own ? image_normalize(own) : NULL;
        if (!reference)
            return err_set(err, 0, own ? "\"%s\" is not an image reference" : "the image has no name: give it one",
                           own);
        if (store_descriptor(im, descriptor, reference, INDEX_DEPTH, err) < 0)
            return -1;
    }
    return 0;
}

/* One image after another out of a docker-archive, which names them in its manifest.json. */
static int store_docker_archive(struct image_change *im, const char *file, const char *name, struct err *err)
{
    _cleanup_free_ char *plain = xasprintf("%s/docker", im->scratch), *layout = xasprintf("%s/oci", im->scratch);
    _cleanup_free_ char *listing = xasprintf("%s/manifest.json", plain);
    if (dir_make(plain, 0700, err) < 0 || archive_unpack_files(file, plain, err) < 0)
        return -1;
    _cleanup_json_ json_t *manifest = load_document(listing, err);
    if (!manifest)
        return -1;
    size_t i, j;
    json_t *image, *tag;
    json_array_foreach(manifest, i, image) {
        _cleanup_free_ char *from = xasprintf("docker-archive:%s:@%zu", file, i),
                            *to = xasprintf("oci:%s:image", layout);
        if (tree_remove(layout, err) < 0 || skopeo_copy(from, to, NULL, err) < 0)
            return -1;
        im->layout = layout;
        if (name || !json_array_size(jget(image, "RepoTags"))) {
            if (image_store_layout(im, name, err) < 0)
                return -1;
            continue;
        }
        json_array_foreach(jget(image, "RepoTags"), j, tag)
            if (image_store_layout(im, json_string_value(tag), err) < 0)
                return -1;
    }
    return 0;
}

static int store_file(struct image_change *im, const char *file, const char *name, struct err *err)
{
    struct stat st;
    if (stat(file, &st) < 0)
        return err_set(err, errno, "open %s", file);
    if (S_ISDIR(st.st_mode)) {
        im->layout = file;
        return image_store_layout(im, name, err);
    }
    int is_oci = archive_has(file, "oci-layout", err);
    int is_docker = is_oci == 0 ? archive_has(file, "manifest.json", err) : 0;
    if (is_oci < 0 || is_docker < 0)
        return -1;
    if (is_docker)
        return store_docker_archive(im, file, name, err);
    if (!is_oci)
        return err_set(err, 0, "%s is neither a docker-archive nor an OCI archive", file);
    _cleanup_free_ char *layout = xasprintf("%s/oci", im->scratch);
    if (dir_make(layout, 0700, err) < 0 || archive_unpack_files(file, layout, err) < 0)
        return -1;
    im->layout = layout;
    return image_store_layout(im, name, err);
}

/* The references become visible: the last step, and the only one that changes what others see. */
static int publish(const struct image_change *im, struct err *err)
{
    _cleanup_json_ json_t *index = image_index_load(im->data_dir, err);
    if (!index)
        return -1;
    json_object_update(index, im->refs);
    return image_index_save(im->data_dir, index, err);
}

static char **names_of(const json_t *refs)
{
    size_t size = (json_object_size(refs) + 1) * sizeof(char *), n = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)refs, key, value)
        size += strlen(key) + 1;
    char **names = xmalloc(size), *text = (char *)(names + json_object_size(refs) + 1);
    json_object_foreach((json_t *)refs, key, value) {
        names[n++] = text;
        text = stpcpy(text, key) + 1;
    }
    names[n] = NULL;
    return names;
}

int image_change_begin(struct image_change *im, int *ret_lock, struct err *err)
{
    static const char *const folders[] = {"layers", "manifests", "tmp"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        _cleanup_free_ char *path = store_path(im->data_dir, folders[i]);
        if (dir_make(path, 0700, err) < 0)
            return -1;
    }
    _cleanup_free_ char *lock = store_path(im->data_dir, "lock");
    _cleanup_close_ int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return err_set(err, errno, "lock %s", lock);
    im->scratch = store_path(im->data_dir, "tmp/import");
    im->refs = json_object();
    if (tree_remove(im->scratch, err) < 0 || dir_make(im->scratch, 0700, err) < 0) /* what a killed import left */
        return -1;
    *ret_lock = TAKE_FD(fd);
    return 0;
}

int image_change_finish(struct image_change *im, int result, struct err *err)
{
    struct err ignored;
    if (result == 0)
        result = publish(im, err);
    if (im->scratch)
        (void)tree_remove(im->scratch, &ignored);
    free(im->scratch);
    json_decref(im->refs);
    return result;
}

int image_import(const char *data_dir, const char *file, const char *name, char ***ret_refs, struct err *err)
{
    _cleanup_free_ char *root = realpath(data_dir, NULL); /* unpacking refuses symbolic links on the way */
    if (!root)
        return err_set(err, errno, "data directory %s", data_dir);
    struct image_change im = {.data_dir = root};
    _cleanup_close_ int lock = -1;
    int result = image_change_begin(&im, &lock, err) < 0 || store_file(&im, file, name, err) < 0 ? -1 : 0;
    if (result == 0 && ret_refs)
        *ret_refs = names_of(im.refs);
    result = image_change_finish(&im, result, err);
    return result < 0 ? err_wrap(err, "import %s", file) : 0;
}

/* --- looking up --- */

static int load_image(const char *data_dir, const char *reference, const char *id, struct image *ret, struct err *err)
{
    _cleanup_free_ char *path =
        xasprintf("%s/images/manifests/%s.json", data_dir, str_or(str_after(id, "sha256:"), id));
    _cleanup_json_ json_t *record = load_document(path, err);
    if (!record)
        return -1;
    json_t *diff_ids = jget(record, "config.rootfs.diff_ids"), *diff_id;
    size_t n = json_array_size(diff_ids), i, size = (n + 1) * sizeof(char *);
    size_t each = strlen(data_dir) + sizeof("/images/layers/") + 64;
    char **layers = xmalloc(size + n * each), *text = (char *)(layers + n + 1);
    json_array_foreach(diff_ids, i, diff_id) {
        const char *hex = str_after(json_string_value(diff_id), "sha256:");
        layers[i] = text;
        text += snprintf(text, each, "%s/images/layers/%s", data_dir, hex) + 1;
    }
    layers[n] = NULL;
    *ret = (struct image){.id = xstrdup(id),
                          .reference = xstrdup(reference),
                          .config = json_incref(jget(record, "config")),
                          .layers = layers,
                          .size = jint(record, "size", 0)};
    return 0;
}

static char *manifest_path(const char *data_dir, const char *id)
{
    return xasprintf("%s/images/manifests/%s.json", data_dir, str_or(str_after(id, "sha256:"), id));
}

/* When an image was used last is the time of its file. */
static void note_use(const char *data_dir, const char *id)
{
    _cleanup_free_ char *path = manifest_path(data_dir, id);
    (void)utimensat(AT_FDCWD, path, NULL, 0);
}

int image_lookup(const char *data_dir, const char *ref, struct image *ret, struct err *err)
{
    _cleanup_free_ char *reference = image_normalize(ref);
    if (!reference)
        return err_set(err, EINVAL, "image \"%s\"", ref);
    _cleanup_json_ json_t *index = image_index_load(data_dir, err);
    if (!index)
        return -1;
    const json_t *entry = json_object_get(index, reference);
    const char *id = entry_id(entry);
    if (!id)
        return err_set(err, ENOENT, "image %s", reference);
    if (load_image(data_dir, reference, id, ret, err) < 0)
        return -1;
    ret->digest = xstrdup_or_null(jstr(entry, "digest"));
    note_use(data_dir, id);
    return 0;
}

void image_done(struct image *i)
{
    free(i->id);
    free(i->reference);
    free(i->digest);
    free(i->layers);
    json_decref(i->config);
    *i = (struct image){0};
}

static int by_reference(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *describe(const char *data_dir, const char *reference, const json_t *entry, struct err *err)
{
    const char *id = str_or(entry_id(entry), "");
    _cleanup_free_ char *path = manifest_path(data_dir, id);
    _cleanup_json_ json_t *record = load_document(path, err);
    struct stat st;
    if (!record || stat(path, &st) < 0)
        return NULL;
    const struct image image = {.reference = (char *)reference, .digest = (char *)jstr(entry, "digest")};
    _cleanup_free_ char *repo_digest = image.digest ? image_repo_digest(&image) : NULL;
    return json_pack("{s:s, s:s, s:s*, s:I, s:s, s:I}", "reference", reference, "id", id, "repoDigest", repo_digest,
                     "size", jint(record, "size", 0), "created", jstr_or(record, "config.created", ""), "usedUsec",
                     (json_int_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000);
}

json_t *image_list(const char *data_dir, struct err *err)
{
    _cleanup_json_ json_t *index = image_index_load(data_dir, err);
    if (!index)
        return NULL;
    json_t *list = json_array();
    _cleanup_free_ char **names = names_of(index);
    qsort(names, json_object_size(index), sizeof(*names), by_reference);
    for (char **name = names; *name; name++) {
        json_t *image = describe(data_dir, *name, json_object_get(index, *name), err);
        if (!image) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, image);
    }
    return list;
}
