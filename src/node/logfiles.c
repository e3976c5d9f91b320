/* GET /logs/: the logs of this node's pods as files, in the folders in which the kubelet keeps them below /var/log:
 * pods/NAMESPACE_NAME_UID/CONTAINER/ATTEMPT.log. The rest of the machine's /var/log is nobody's business who may only
 * see the cluster. Names are made of known pods and never leave their folders. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "node/agent_impl.h"
#include "node/pod.h"

/* A log is put aside at 10 MiB, or a little later (logrotate.c). */
#define LOG_FILE_MAX (16 << 20)

static void refuse(struct http_exchange *x, int code, const char *text)
{
    http_reply(x, code, "text/plain; charset=utf-8", text, strlen(text));
}

/* --- folders, as Go's file server shows them --- */

static void begin_list(struct buf *b)
{
    buf_adds(b, "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n");
}

static void end_list(struct buf *b, struct http_exchange *x)
{
    buf_adds(b, "</pre>\n");
    http_reply(x, 200, "text/html; charset=utf-8", buf_str(b), b->len);
    buf_done(b);
}

static void add_name(struct buf *b, const char *name, bool folder)
{
    const char *end = folder ? "/" : "";
    buf_addf(b, "<a href=\"%s%s\">%s%s</a>\n", name, end, name, end);
}

static void list_root(struct http_exchange *x)
{
    struct buf b = BUF_INIT(0);
    begin_list(&b);
    add_name(&b, "pods", true);
    end_list(&b, x);
}

static char *folder_of(const struct pod *p)
{
    return xasprintf("%s_%s_%s", p->ns, p->name, p->uid);
}

static void list_pods(struct agent *a, struct http_exchange *x)
{
    struct buf b = BUF_INIT(0);
    begin_list(&b);
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));) {
        _cleanup_free_ char *name = folder_of(e->value);
        add_name(&b, name, true);
    }
    end_list(&b, x);
}

static void list_folder(struct http_exchange *x, const char *path)
{
    struct buf b = BUF_INIT(0);
    struct dirent **found;
    int n = scandir(path, &found, NULL, alphasort);
    begin_list(&b);
    for (int i = 0; i < n; i++) {
        if (found[i]->d_name[0] != '.')
            add_name(&b, found[i]->d_name, found[i]->d_type == DT_DIR);
        free(found[i]);
    }
    if (n >= 0)
        free(found);
    end_list(&b, x);
}

/* --- files --- */

static ssize_t read_all(int fd, char *to, size_t size)
{
    size_t done = 0;
    for (ssize_t n; done < size && (n = read(fd, to + done, size - done)) != 0; done += (size_t)n)
        if (n < 0)
            return -1;
    return (ssize_t)done;
}

static void send_file(struct http_exchange *x, const char *path)
{
    struct stat st;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        refuse(x, 404, "404 page not found\n");
        return;
    }
    size_t size = st.st_size < LOG_FILE_MAX ? (size_t)st.st_size : LOG_FILE_MAX;
    char *data = xmalloc(size + 1);
    ssize_t len = read_all(fd, data, size);
    if (len < 0) {
        refuse(x, 500, strerror(errno));
        free(data);
        return;
    }
    http_reply_shared(x, 200, "text/plain; charset=utf-8", data, (size_t)len, free, data);
}

/* --- requests --- */

static const struct pod *find_folder(struct agent *a, const char *folder)
{
    for (struct map_entry *e = NULL; (e = map_next(&a->pods, e));) {
        _cleanup_free_ char *name = folder_of(e->value);
        if (streq(name, folder))
            return e->value;
    }
    return NULL;
}

/* Of a container's folder or a file in it; NULL: there is no such name. Only the last part may be empty, of a folder.
 */
static char *path_below(const struct agent *a, const struct pod *p, char *const *parts, size_t n)
{
    struct buf rest = BUF_INIT(0);
    buf_adds(&rest, "logs");
    for (size_t i = 1; i < n; i++) {
        bool last = i == n - 1;
        if (*parts[i] == '.' || (!*parts[i] && !last)) {
            buf_done(&rest);
            return NULL;
        }
        buf_addf(&rest, "%s%s", *parts[i] ? "/" : "", parts[i]);
    }
    char *path = pod_data_path(&a->paths, p->uid, buf_str(&rest));
    buf_done(&rest);
    return path;
}

/* parts: NAMESPACE_NAME_UID, container, file. */
static void serve_pod(struct agent *a, struct http_exchange *x, char *const *parts, size_t n)
{
    const struct pod *p = find_folder(a, parts[0]);
    _cleanup_free_ char *path = p ? path_below(a, p, parts, n) : NULL;
    if (path && !*parts[n - 1])
        list_folder(x, path);
    else if (path && n == 3)
        send_file(x, path);
    else
        refuse(x, 404, "404 page not found\n");
}

void logfiles_serve(struct agent *a, struct http_exchange *x)
{
    _cleanup_free_ char *path = url_decode(http_path(x), strlen(http_path(x)), false);
    const char *rest = path ? str_after(path, "/logs/") : NULL, *in_pods = rest ? str_after(rest, "pods/") : NULL;
    size_t n;
    _cleanup_free_ char **parts = in_pods && *in_pods ? str_split(in_pods, '/', &n) : NULL;
    if (parts)
        serve_pod(a, x, parts, n);
    else if (in_pods)
        list_pods(a, x);
    else if (rest && !*rest)
        list_root(x);
    else
        refuse(x, 404, "404 page not found\n");
}
