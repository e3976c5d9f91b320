/* See filesdir.h. */
#include "ingress/filesdir.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "ingress/certs.h"

int filesdir_make(const char *dir, struct err *err)
{
    _cleanup_free_ char *pem = cert_self_signed(), *path = xasprintf("%s/" INGRESS_DEFAULT_CERT, dir);
    return dir_make(dir, 0700, err) < 0 ? -1 : file_write_atomic(path, pem, strlen(pem), 0600, err);
}

int filesdir_write(const char *dir, const struct ingress_files *files, struct err *err)
{
    for (size_t n = 0; n < files->n; n++) {
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, files->files[n].name);
        if (file_write_atomic(path, files->files[n].text, strlen(files->files[n].text), 0600, err) < 0)
            return -1;
    }
    return 0;
}

void filesdir_sweep(const char *dir, const struct ingress_files *before, const struct ingress_files *now)
{
    for (size_t n = 0; n < before->n; n++) {
        bool stays = false;
        for (size_t m = 0; m < now->n && !stays; m++)
            stays = streq(before->files[n].name, now->files[m].name);
        _cleanup_free_ char *path = xasprintf("%s/%s", dir, before->files[n].name);
        if (!stays)
            unlink(path);
    }
}
