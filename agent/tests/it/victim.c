// What the tests of the agent let loose: `victim <deed>`.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void spin(void) { for (;;) __asm__ volatile(""); }

static void eat(void) {
    for (;;) {
        char *block = malloc(1 << 20);
        if (block) memset(block, 1, 1 << 20);
    }
}

static char block_of_one[1];

static void touch(volatile char *memory, size_t bytes) {
    for (size_t at = 0; at < bytes; at += 4096) memory[at] = 1;
}

// Adds so much memory of one kind.
static int add(size_t bytes, const char *kind) {
    int prot = PROT_READ | PROT_WRITE;
    if (!strcmp(kind, "private")) touch(mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), bytes);
    if (!strcmp(kind, "shared")) touch(mmap(NULL, bytes, prot, MAP_SHARED | MAP_ANONYMOUS, -1, 0), bytes);
    if (!strcmp(kind, "file in memory")) {
        int fd = memfd_create("much", 0);
        if (ftruncate(fd, bytes)) return 1;
        touch(mmap(NULL, bytes, prot, MAP_SHARED, fd, 0), bytes);
    }
    if (!strcmp(kind, "temporary files")) {
        static char block[1 << 20];
        int fd = -1;
        for (size_t written = 0; written < bytes; written += sizeof block) {
            // A file of its own for each 4 MiB: the size of one is limited, too.
            char path[32];
            snprintf(path, sizeof path, "/tmp/%zu", written >> 22);
            if (written % (4 << 20) == 0) fd = open(path, O_CREAT | O_WRONLY, 0600);
            if (write(fd, block, sizeof block) != sizeof block) return 1;
        }
    }
    if (!strcmp(kind, "children")) {
        int ends[2];
        if (pipe(ends)) return 1;
        for (int i = 0; i < 4; i++) if (!fork()) {
            touch(malloc(bytes / 4), bytes / 4);
            if (write(ends[1], "x", 1) != 1) return 1;
            pause();
        }
        for (int i = 0; i < 4; i++) if (read(ends[0], block_of_one, 1) != 1) return 1;
    }
    if (!strcmp(kind, "sparse")) {
        // One page of each 2 MiB.
        char *memory = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        madvise(memory, bytes, MADV_HUGEPAGE);
        for (size_t at = 0; at < bytes; at += 2 << 20) memory[at] = 1;
    }
    puts("added");
    return 0;
}

// Runs down a stack of so many bytes.
static int down(long bytes) {
    volatile char frame[4096];
    frame[0] = 1;
    return bytes > 0 ? down(bytes - 4096) + frame[0] : 0;
}

static void *tell_stack(void *unused) {
    pthread_attr_t attributes;
    size_t bytes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstacksize(&attributes, &bytes);
    printf("%zu\n", bytes >> 10);
    return unused;
}

static void *idle(void *unused) { for (;;) pause(); return unused; }

static void nest(const char *folder) {
    if (chdir(folder)) exit(3);
    for (int depth = 0; depth < 5000; depth++) {
        if (mkdir("a\n-rf", 0700)) exit(4);
        close(open("file", O_CREAT, 0));
        if (chdir("a\n-rf")) exit(5);
        chmod("..", depth > 3 ? 01000 : 0700);
    }
    chmod("..", 0);
    chmod(".", 0);
}

int main(int argc, char **argv) {
    const char *deed = argc > 1 ? argv[1] : "hello";
#define IS(name) (!strcmp(deed, name))
    if (IS("hello")) return puts("hello") < 0;
    if (IS("spin")) spin();
    if (IS("spin in children")) {
        signal(SIGCHLD, SIG_IGN);
        for (int i = 0; i < 2; i++) if (!fork()) spin();
        for (;;) pause();
    }
    if (IS("threads")) {
        pthread_t thread;
        int made = 0;
        while (made < 1000 && !pthread_create(&thread, NULL, idle, NULL)) made++;
        printf("%d\n", made);
        return 0;
    }
    if (IS("eat")) eat();
    if (IS("add")) return add(strtoul(argv[2], NULL, 10) << 10, argv[3]);
    if (IS("down")) return printf("%d\n", down(strtol(argv[2], NULL, 10) << 20) > 0) < 0;
    if (IS("stack of a thread")) {
        pthread_t thread;
        return pthread_create(&thread, NULL, tell_stack, NULL) || pthread_join(thread, NULL);
    }
    if (IS("eat in a child")) {
        if (!fork()) eat();
        wait(NULL);
        puts("right");
        return 0;
    }
    if (IS("hide from the kernel")) {
        // Many small processes that the kernel would spare, and memory that belongs to none of them.
        int fd = open("/proc/self/oom_score_adj", O_RDWR);
        puts(write(fd, "0", 1) == 1 ? "spared" : "refused");
        fflush(stdout);
        int disk = memfd_create("much", 0);
        static char block[4096];
        for (int i = 0; i < 10; i++) fork();
        for (;;) {
            if (write(disk, block, sizeof block) > 0) continue;
            int ends[2];
            if (pipe(ends)) pause();
            fcntl(ends[1], F_SETFL, O_NONBLOCK);
            while (write(ends[1], block, sizeof block) > 0) {}
        }
    }
    if (IS("reserve")) {
        char *much = malloc(8ul << 30);
        puts(much ? "reserved" : "refused");
        return 0;
    }
    if (IS("fork bomb")) for (;;) fork();
    if (IS("fork bomb of daemons")) for (;;) if (!fork()) setsid();
    if (IS("daemon")) {
        // Until the one in between has ended: only the daemon is left then.
        if (fork()) { wait(NULL); puts("parent"); return 0; }
        setsid();
        if (fork()) _exit(0);
        for (;;) pause();
    }
    if (IS("stop itself")) raise(SIGSTOP);
    if (IS("ignore")) {
        for (int i = 1; i < 65; i++) signal(i, SIG_IGN);
        for (;;) pause();
    }
    if (IS("kill all")) { kill(-1, SIGKILL); puts("alive"); return kill(1, SIGKILL) == 0; }
    if (IS("flood")) for (;;) if (write(1, "0123456789abcdef0123456789abcdef", 32) < 0) return 1;
    if (IS("nest")) { nest("/w/work"); nest("/tmp"); return 0; }
    if (IS("write by memory")) {
        // As soon as it can after the start, without changing the size, and in a way that no time of the file tells.
        int fd = open("data", O_RDWR);
        char *data = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        memcpy(data, "evil", 4);
        return 0;
    }
    if (IS("mark the folder")) {
        char mark[8];
        if (getxattr(".", "user.mark", mark, sizeof mark) > 0) puts("marked");
        setxattr(".", "user.mark", "here", 4, 0);
        // A default access list, which all files made here from then on would get: all may write.
        const char list[] = "\2\0\0\0\1\0\7\0\377\377\377\377\4\0\7\0\377\377\377\377\40\0\7\0\377\377\377\377";
        setxattr(".", "system.posix_acl_default", list, 28, 0);
        return 0;
    }
    if (IS("leave holes")) {
        int fd = open("holes", O_CREAT | O_RDWR, 0640);
        return pwrite(fd, "end", 3, 60 << 20) != 3;
    }
    if (IS("zombies")) {
        for (int i = 0; i < 500; i++) {
            pid_t child = fork();
            // Room comes back only if process 1 collects the orphans.
            if (child < 0) { i--; sched_yield(); continue; }
            // The grandchild is orphaned, ends, and is nobody's but process 1's.
            if (!child) { fork(); _exit(0); }
            waitpid(child, NULL, 0);
        }
        return 0;
    }
    if (IS("less oom score")) {
        int fd = open("/proc/self/oom_score_adj", O_RDONLY);
        char score[8] = {0};
        read(fd, score, 7);
        fputs(score, stdout);
        return 0;
    }
    if (IS("descriptors")) {
        for (int fd = 0; fd < 4096; fd++) if (fcntl(fd, F_GETFD) != -1) printf("%d ", fd);
        return 0;
    }
    if (IS("limits")) {
        struct rlimit limit;
        getrlimit(RLIMIT_NOFILE, &limit);
        printf("%lu ", limit.rlim_cur);
        getrlimit(RLIMIT_CORE, &limit);
        printf("%lu ", limit.rlim_cur);
        getrlimit(RLIMIT_STACK, &limit);
        printf("%d %d", limit.rlim_cur == RLIM_INFINITY, getpriority(PRIO_PROCESS, 0));
        return 0;
    }
    return 9;
}
