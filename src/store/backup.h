/* A whole cluster in one file: a copy of the database with the files that belong to it (certificates, keys) in a table
 * of their own. Made from one consistent snapshot, also while the cluster runs and writes. */
#pragma once
#include "base/err.h"

/* `dirs`: folders of data_dir whose plain files go with the objects (NULL ends). The file appears whole or not at all,
 * with mode 0600: every Secret and key is in it. */
int backup_make(const char *data_dir, const char *const *dirs, const char *file, struct err *err);

/* Puts a backup in the place of what data_dir holds; its database is kept as state.db.old. Refused while a cluster runs
 * there. Revisions go on far behind the backup's, so that nobody who watched the lost future sees them go back. */
int backup_restore(const char *file, const char *data_dir, const char *const *dirs, struct err *err);
