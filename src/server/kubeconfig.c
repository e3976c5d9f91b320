/* The part of pki.h that writes the user's kubeconfig: our cluster, user and context are merged into whatever is there
 * and can be taken out again. The context remembers which one was current before, in an extension (a place the format
 * has for tools' own data), so that taking it out restores that too. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "json/json.h"
#include "json/yaml.h"
#include "json/yaml_print.h"
#include "server/pki.h"

#define KUBECONFIG_MAX (8 << 20) /* bytes: hundreds of clusters with their certificates */
#define ENTRY KUBECONFIG_ENTRY

static const char *const sections[] = {"clusters", "contexts", "users"};

static json_t *file_base64(const char *path, struct err *err)
{
    size_t len;
    _cleanup_free_ char *data = file_read(path, KUBECONFIG_MAX, &len, err);
    if (!data)
        return NULL;
    _cleanup_free_ char *text = base64_encode(data, len);
    return json_string(text);
}

/* --- the document --- */

static json_t *empty_config(void)
{
    return json_pack("{s:s,s:s,s:[],s:[],s:s,s:[]}", "apiVersion", "v1", "kind", "Config", "clusters", "contexts",
                     "current-context", "", "users");
}

static json_t *section(json_t *config, const char *name)
{
    json_t *array = json_object_get(config, name);
    if (!json_is_array(array)) /* kubectl leaves `null` for an empty section */
        json_object_set_new(config, name, array = json_array());
    return array;
}

static void remove_entry(json_t *config, const char *section_name)
{
    json_t *array = section(config, section_name);
    for (size_t i = json_array_size(array); i-- > 0;)
        if (streq(jstr_or(json_array_get(array, i), "name", ""), ENTRY))
            json_array_remove(array, i);
}

static const char *previous_context(const json_t *config)
{
    const json_t *ours = jfind(json_object_get(config, "contexts"), "name", ENTRY);
    return jstr_or(jfind(jget(ours, "context.extensions"), "name", ENTRY), "extension.previous-context", "");
}

static json_t *context_entry(const char *previous)
{
    json_t *context = json_pack("{s:s,s:s}", "cluster", ENTRY, "user", ENTRY);
    if (*previous)
        json_object_set_new(context, "extensions",
                            json_pack("[{s:s,s:{s:s}}]", "name", ENTRY, "extension", "previous-context", previous));
    return json_pack("{s:s,s:o}", "name", ENTRY, "context", context);
}

static int merge(json_t *config, const char *server_url, const struct pki *p, struct err *err)
{
    const char *current = jstr_or(config, "current-context", "");
    _cleanup_free_ char *previous = xstrdup(streq(current, ENTRY) ? previous_context(config) : current);
    _cleanup_json_ json_t *ca = file_base64(p->ca_cert, err);
    _cleanup_json_ json_t *cert = ca ? file_base64(p->admin_cert, err) : NULL;
    _cleanup_json_ json_t *key = cert ? file_base64(p->admin_key, err) : NULL;
    if (!key)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        remove_entry(config, sections[i]);
    json_array_append_new(section(config, "clusters"),
                          json_pack("{s:s,s:{s:O,s:s}}", "name", ENTRY, "cluster", "certificate-authority-data", ca,
                                    "server", server_url));
    json_array_append_new(section(config, "contexts"), context_entry(previous));
    json_array_append_new(section(config, "users"), json_pack("{s:s,s:{s:O,s:O}}", "name", ENTRY, "user",
                                                              "client-certificate-data", cert, "client-key-data", key));
    json_object_set_new(config, "current-context", json_string(ENTRY));
    return 0;
}

static void take_out(json_t *config)
{
    if (streq(jstr_or(config, "current-context", ""), ENTRY))
        json_object_set_new(config, "current-context", json_string(previous_context(config)));
    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        remove_entry(config, sections[i]);
}

static bool is_empty(json_t *config)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        if (json_array_size(section(config, sections[i])))
            return false;
    return true;
}

/* --- the file --- */

/* The config there is, or an empty one where there is none; NULL when it is not a kubeconfig. */
static json_t *read_config(const char *path, struct err *err)
{
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return empty_config();
    size_t len;
    _cleanup_free_ char *text = file_read(path, KUBECONFIG_MAX, &len, err);
    if (!text)
        return NULL;
    if (len == strspn(text, " \t\r\n"))
        return empty_config();
    json_t *config = yaml_parse(text, len, err);
    if (!config) {
        err_wrap(err, "%s", path);
        return NULL;
    }
    if (!json_is_object(config) || !streq(jstr_or(config, "kind", "Config"), "Config")) {
        json_decref(config);
        err_set(err, 0, "%s is not a kubeconfig", path);
        return NULL;
    }
    return config;
}

/* As root in a user's home the file stays the user's: its owner, or that of its folder, is kept. */
static int write_config(const char *path, const json_t *config, struct err *err)
{
    _cleanup_free_ char *text = yaml_print(config), *copy = xstrdup(path);
    struct stat st;
    if (stat(path, &st) < 0 && stat(dirname(copy), &st) < 0)
        return err_set(err, errno, "%s", path);
    if (file_write_atomic(path, text, strlen(text), 0600, err) < 0)
        return -1;
    if (geteuid() == 0 && chown(path, st.st_uid, st.st_gid) < 0)
        return err_set(err, errno, "chown %s", path);
    return 0;
}

/* Where a symbolic link leads, so that replacing the file does not replace the link. */
static char *real_path(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : xstrdup(path);
}

int kubeconfig_write(const char *path, const char *server_url, const struct pki *p, struct err *err)
{
    _cleanup_free_ char *real = real_path(path), *copy = xstrdup(real);
    if (dir_make(dirname(copy), 0700, err) < 0)
        return -1;
    _cleanup_json_ json_t *config = read_config(real, err);
    if (!config || merge(config, server_url, p, err) < 0)
        return -1;
    return write_config(real, config, err);
}

void kubeconfig_remove(const char *path, const struct pki *p)
{
    struct err ignored;
    _cleanup_free_ char *real = real_path(path);
    if (access(real, F_OK) < 0)
        return;
    _cleanup_json_ json_t *config = read_config(real, &ignored);
    _cleanup_json_ json_t *ca = file_base64(p->ca_cert, &ignored);
    if (!config || !ca)
        return;
    const json_t *ours = jfind(json_object_get(config, "clusters"), "name", ENTRY);
    if (!streq_or_null(jstr(ours, "cluster.certificate-authority-data"), json_string_value(ca)))
        return;
    take_out(config);
    if (is_empty(config))
        (void)unlink(real); /* nothing but ours was in it */
    else
        (void)write_config(real, config, &ignored);
}
