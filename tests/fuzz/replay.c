/* Feeds every file of a corpus folder to a fuzz target, so that the normal test run covers what fuzzing once found. An
 * empty or missing corpus is a failure. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (!dir) {
        fprintf(stderr, "no corpus %s\n", argc == 2 ? argv[1] : "(give its folder)");
        return 1;
    }
    int n = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
        FILE *f = fopen(path, "rb");
        if (!f)
            continue;
        fseek(f, 0, SEEK_END);
        long size = ftell(f);
        rewind(f);
        uint8_t *data = malloc(size ? (size_t)size : 1); /* exactly sized: overreads show under ASan */
        if (data && fread(data, 1, (size_t)size, f) == (size_t)size) {
            LLVMFuzzerTestOneInput(data, (size_t)size);
            n++;
        }
        free(data);
        fclose(f);
    }
    closedir(dir);
    printf("%d inputs replayed\n", n);
    return n ? 0 : 1;
}
