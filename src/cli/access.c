/* See access.h. */
#include "cli/access.h"

#include <libgen.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/str.h"
#include "http/http.h"
#include "json/json.h"
#include "json/yaml.h"

#define KUBECONFIG_MAX (8 << 20) /* bytes: hundreds of clusters with their certificates */
#define PEM_MAX 65536

/* What `member` of entry is about: NAME-data in base64, or the file NAME, beside the kubeconfig. NULL: neither. */
static char *pem_of(const json_t *entry, const char *member, const char *kubeconfig)
{
    struct err ignored;
    size_t len;
    _cleanup_free_ char *data_member = xasprintf("%s-data", member), *copy = xstrdup(kubeconfig);
    const char *data = json_string_value(json_object_get(entry, data_member));
    const char *file = json_string_value(json_object_get(entry, member));
    if (data) {
        _cleanup_free_ char *bytes = base64_decode(data, strlen(data), &len);
        return bytes ? xstrndup(bytes, len) : NULL;
    }
    if (!file)
        return NULL;
    _cleanup_free_ char *path = *file == '/' ? xstrdup(file) : xasprintf("%s/%s", dirname(copy), file);
    return file_read(path, PEM_MAX, NULL, &ignored);
}

static const json_t *named(const json_t *config, const char *section, const char *name, const char *member)
{
    return json_object_get(jfind(json_object_get(config, section), "name", name), member);
}

static int take_in(struct access *a, const json_t *config, const char *path, const char *context, struct err *err)
{
    const char *current = context ? context : jstr_or(config, "current-context", "");
    const json_t *chosen = named(config, "contexts", current, "context");
    const json_t *cluster = named(config, "clusters", jstr_or(chosen, "cluster", ""), "cluster");
    const json_t *user = named(config, "users", jstr_or(chosen, "user", ""), "user");
    if (!cluster || !user)
        return err_set(err, 0, "no cluster and user in its context \"%s\"", current);
    _cleanup_free_ char *ca = pem_of(cluster, "certificate-authority", path), *key = pem_of(user, "client-key", path);
    _cleanup_free_ char *cert = pem_of(user, "client-certificate", path);
    a->token = xstrdup_or_null(jstr(user, "token"));
    if (!a->token && !(cert && key))
        return err_set(err, 0, "its user \"%s\" has neither certificate nor token", jstr_or(chosen, "user", ""));
    if (join_parse_url(jstr_or(cluster, "server", ""), &a->server, err) < 0)
        return -1;
    a->tls = tls_client_ctx_pem(ca, ca ? strlen(ca) : 0, err);
    return a->tls && !(cert && key && tls_ctx_use_pem(a->tls, cert, key, err) < 0) ? 0 : -1;
}

int access_read(struct access *ret, const char *path, const char *context, struct err *err)
{
    size_t len;
    *ret = (struct access){0};
    _cleanup_free_ char *text = file_read(path, KUBECONFIG_MAX, &len, err);
    _cleanup_json_ json_t *config = text ? yaml_parse(text, len, err) : NULL;
    if (!config)
        return -1;
    return take_in(ret, config, path, context, err) < 0 ? err_wrap(err, "%s", path) : 0;
}

void access_done(struct access *a)
{
    SSL_CTX_free(a->tls);
    free(a->server.name);
    free(a->token);
}

struct client *access_client(const struct access *a, uv_loop_t *loop)
{
    return client_https_new(loop, &(struct client_https_config){.netns_fd = -1,
                                                                .ip = a->server.ip,
                                                                .port = a->server.port,
                                                                .server_name = a->server.name,
                                                                .token = a->token,
                                                                .tls = a->tls});
}
