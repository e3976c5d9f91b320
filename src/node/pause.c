/* A program of its own: process 1 of a pod whose containers share a process namespace. It does nothing, for as long as
 * the pod lives; children that are left to it are reaped by the kernel, since SIGCHLD is ignored where it is started
 * (holder.c). It runs within reach of the containers, so there is nothing in it, not even a C library. */
#include <sys/prctl.h>
#include <sys/syscall.h>

static long call(long number, long a, long b)
{
#if defined(__x86_64__)
    long result;
    register long fourth __asm__("r10") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(0L), "r"(fourth)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = 0, x3 __asm__("x3") = 0;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
#else
#error "how are system calls made here?"
#endif
}

void _start(void);
void _start(void)
{
    call(SYS_prctl, PR_SET_NAME, (long)"pause");
    for (;;)
        call(SYS_ppoll, 0, 0); /* no descriptors, no end */
}
