/* Node embedded so that it can be forked: see node_embed.h. This file handles three obstacles: V8 asks the kernel not
 * to copy its heap into children; V8 wants threads, which no fork copies; and a child's event loop shares descriptors
 * with the parent's loop. */
#include "lang/javascript/node_embed.h"

#include "lang/javascript/node_scripts.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <libplatform/libplatform.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <memory>
#include <node.h>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <uv.h>
#include <vector>

/* The start of the process, in nanoseconds of CLOCK_MONOTONIC. The library exports both variables, but no header
 * declares them. */
namespace node
{
namespace per_process
{
extern uint64_t node_start_time;
}
namespace performance
{
extern uint64_t timeOrigin;
}
} // namespace node

namespace
{

/* V8's own platform without threads, in the form that Node wants: posted tasks run when the loop asks for them. */
class SingleThreadedPlatform : public node::MultiIsolatePlatform
{
      public:
        bool FlushForegroundTasks(v8::Isolate *isolate) override
        {
                bool any = false;
                while (v8::platform::PumpMessageLoop(platform.get(), isolate))
                        any = true;
                return any;
        }
        void DrainTasks(v8::Isolate *isolate) override
        {
                FlushForegroundTasks(isolate);
        }
        void RegisterIsolate(v8::Isolate *, uv_loop_s *) override
        {
        }
        void RegisterIsolate(v8::Isolate *, node::IsolatePlatformDelegate *) override
        {
        }
        void UnregisterIsolate(v8::Isolate *isolate) override
        {
                v8::platform::NotifyIsolateShutdown(platform.get(), isolate);
        }
        void AddIsolateFinishedCallback(v8::Isolate *, void (*callback)(void *), void *data) override
        {
                callback(data);
        }
        int NumberOfWorkerThreads() override
        {
                return 0;
        }
        std::shared_ptr<v8::TaskRunner> GetForegroundTaskRunner(v8::Isolate *isolate) override
        {
                return platform->GetForegroundTaskRunner(isolate);
        }
        void CallOnWorkerThread(std::unique_ptr<v8::Task> task) override
        {
                platform->CallOnWorkerThread(std::move(task));
        }
        void CallDelayedOnWorkerThread(std::unique_ptr<v8::Task> task, double delay) override
        {
                platform->CallDelayedOnWorkerThread(std::move(task), delay);
        }
        bool IdleTasksEnabled(v8::Isolate *) override
        {
                return false;
        }
        std::unique_ptr<v8::JobHandle> PostJob(v8::TaskPriority priority, std::unique_ptr<v8::JobTask> task) override
        {
                return platform->PostJob(priority, std::move(task));
        }
        double MonotonicallyIncreasingTime() override
        {
                return platform->MonotonicallyIncreasingTime();
        }
        double CurrentClockTimeMillis() override
        {
                return platform->CurrentClockTimeMillis();
        }
        v8::TracingController *GetTracingController() override
        {
                return platform->GetTracingController();
        }

      private:
        std::unique_ptr<v8::Platform> platform = v8::platform::NewSingleThreadedDefaultPlatform();
};

/* A sandbox uses the descriptors below this one, for example for its job and its report (zygote/sandbox/boot.c). After
 * a fork, the event loop closes its own descriptors, so none of them may have such a low number. */
constexpr int first_free_number = 16;

class LowNumbersTaken
{
      public:
        LowNumbersTaken()
        {
                int fd;
                while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 && fd < first_free_number)
                        taken.push_back(fd);
                if (fd >= 0)
                        close(fd);
        }
        ~LowNumbersTaken()
        {
                for (int fd : taken)
                        close(fd);
        }

      private:
        std::vector<int> taken;
};

/* V8 marks its heap MADV_DONTFORK. From here on, a seccomp filter makes that call do nothing and report success. A
 * filter replaces no symbol, and holds for all callers. While its interpreter starts, a zygote has no capability in
 * effect. Such a process may load a filter only if it can gain no privilege any more (no_new_privs). That is no loss,
 * since a sandbox never can. */
int allow_forks_of_the_heap()
{
        sock_filter filter[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_DONTFORK, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const sock_fprog program = { sizeof filter / sizeof filter[0], filter };
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
}

std::vector<int> open_descriptors()
{
        std::vector<int> all;
        DIR *dir = opendir("/proc/self/fd");
        while (dirent *d = dir ? readdir(dir) : nullptr)
                if (d->d_name[0] != '.' && atoi(d->d_name) != dirfd(dir))
                        all.push_back(atoi(d->d_name));
        if (dir)
                closedir(dir);
        std::sort(all.begin(), all.end());
        return all;
}

/* The pipe by which libuv's signal handlers exclude each other. There is one per process, made with the first loop.
 * libuv's handler of fork() would renew the pipe, but clone calls no such handler. */
class SignalLock
{
      public:
        bool find()
        {
                std::vector<int> before = open_descriptors(), after, fresh;
                uv_loop_t first;
                if (uv_loop_init(&first) != 0 || uv_loop_close(&first) != 0)
                        return false;
                after = open_descriptors();
                std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                                    std::back_inserter(fresh));
                for (int fd : fresh)
                        ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY ? reader : writer) = fd;
                return fresh.size() == 2 && reader >= 0 && writer >= 0;
        }
        int renew() const
        {
                int ends[2];
                if (pipe2(ends, O_CLOEXEC) < 0)
                        return -errno;
                int r = dup3(ends[0], reader, O_CLOEXEC) < 0 || dup3(ends[1], writer, O_CLOEXEC) < 0 ||
                                        write(writer, "", 1) != 1
                                ? -errno
                                : 0;
                close(ends[0]);
                close(ends[1]);
                return r;
        }

      private:
        int reader = -1, writer = -1;
};

uint64_t clock_ns(clockid_t clock)
{
        timespec t{};
        clock_gettime(clock, &t);
        return static_cast<uint64_t>(t.tv_sec) * 1000000000 + static_cast<uint64_t>(t.tv_nsec);
}

/* Ends the process as Node itself does, but does not destroy objects, which vanish with the process. */
[[noreturn]] void end(int status)
{
        fflush(nullptr);
        _exit(status);
}

} // namespace

struct node_embed {
        SingleThreadedPlatform platform;
        SignalLock signal_lock;
        int (*reseed)() = nullptr;
        char words[16] = "node\0main.js"; /* process.title may overwrite these words, as it overwrites the arguments
                                           * elsewhere */
        char *argv[3] = { words, words + 5, nullptr };
        std::unique_ptr<node::CommonEnvironmentSetup> setup;
        v8::Global<v8::Object> functions;
};

namespace
{

/* The scopes that every call into JavaScript needs. */
class Inside
{
      public:
        explicit Inside(node_embed *n)
            : isolate(n->setup->isolate()), locker(isolate), isolate_scope(isolate), handle_scope(isolate),
              context(n->setup->context()), context_scope(context), embed(n)
        {
        }
        v8::Local<v8::String> string(const char *text)
        {
                return v8::String::NewFromUtf8(isolate, text).FromMaybe(v8::String::Empty(isolate));
        }
        v8::Local<v8::Array> array(char *const *words)
        {
                v8::Local<v8::Array> all = v8::Array::New(isolate);
                for (uint32_t i = 0; words[i]; i++)
                        all->Set(context, i, string(words[i])).Check();
                return all;
        }
        v8::MaybeLocal<v8::Value> call(const char *name, std::vector<v8::Local<v8::Value>> values)
        {
                v8::Local<v8::Value> function =
                        embed->functions.Get(isolate)->Get(context, string(name)).ToLocalChecked();
                return function.As<v8::Function>()->Call(context, v8::Undefined(isolate),
                                                         static_cast<int>(values.size()), values.data());
        }

        v8::Isolate *isolate;

      private:
        v8::Locker locker;
        v8::Isolate::Scope isolate_scope;
        v8::HandleScope handle_scope;

      public:
        v8::Local<v8::Context> context;

      private:
        v8::Context::Scope context_scope;
        node_embed *embed;
};

/* Runs the event loop for at most 100 turns, since a preloaded module may have set a timer. The loop does not run to
 * its end: that end is an event, which a program may see only once. */
void turn_loop(node_embed *n)
{
        int turns = 100;
        do
                n->platform.DrainTasks(n->setup->isolate());
        while (uv_run(n->setup->event_loop(), UV_RUN_NOWAIT) != 0 && --turns > 0);
}

/* V8 has sized its heap by the machine's memory. It would not collect garbage before a run exceeds its memory limit. An
 * existing heap gets another bound only when a near-heap-limit callback is removed. The heap then fills up to the new
 * bound before V8 collects garbage, so a quarter of the limit is left for all else. A program that really needs more
 * gets more, until the kernel kills it at the limit. */
void limit_heap(v8::Isolate *isolate, uint64_t memory_bytes)
{
        v8::NearHeapLimitCallback more = [](void *, size_t current, size_t) { return current + current / 4; };
        isolate->AddNearHeapLimitCallback(more, nullptr);
        isolate->RemoveNearHeapLimitCallback(more, static_cast<size_t>(memory_bytes / 4 * 3));
        isolate->AddNearHeapLimitCallback(more, nullptr);
}

int fail(char *why, size_t size, const std::string &sentence)
{
        snprintf(why, size, "%s", sentence.c_str());
        return -1;
}

std::string join(const std::vector<std::string> &lines)
{
        std::string all;
        for (const std::string &line : lines)
                all += (all.empty() ? "" : "; ") + line;
        return all;
}

int load(node_embed *n, char *why, size_t size)
{
        Inside in(n);
        v8::TryCatch caught(in.isolate);

        node::SetProcessExitHandler(n->setup->env(), [](node::Environment *, int status) { end(status); });
        v8::Local<v8::Value> value;
        if (!node::LoadEnvironment(n->setup->env(), node_script_forked).ToLocal(&value) || !value->IsObject())
                return fail(why, size, "Node can't run node_forked.js");
        n->functions.Reset(in.isolate, value.As<v8::Object>());
        if (in.call("share", { in.string(node_script_shared) }).IsEmpty())
                return fail(why, size, "Node can't run node_shared.js");
        return 0;
}

std::unique_ptr<node::InitializationResult> initialise()
{
        namespace flags = node::ProcessInitializationFlags;
        /* V8 keeps compiled code, even if it is not called for a long time: otherwise every child would compile it
         * again. */
        return node::InitializeOncePerProcess({ "node", "--single-threaded", "--no-flush-bytecode" },
                                              { flags::kNoInitializeV8, flags::kNoInitializeNodeV8Platform,
                                                flags::kNoDefaultSignalHandling, flags::kNoAdjustResourceLimits });
}

} // namespace

int node_embed_start(struct node_embed **out, char *why, size_t why_size)
{
        LowNumbersTaken low_numbers;
        auto n = std::make_unique<node_embed>();
        if (allow_forks_of_the_heap() < 0)
                return fail(why, why_size, "a filter for Node's heap can't be set");
        if (!n->signal_lock.find())
                return fail(why, why_size, "libuv's lock of signals is not where it was");
        /* libnode contains this function, so no header of OpenSSL is needed. */
        n->reseed = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "RAND_poll"));
        if (!n->reseed)
                return fail(why, why_size, "there is no RAND_poll");
        uv_setup_args(2, n->argv);

        auto init = initialise();
        if (init->early_return())
                return fail(why, why_size, join(init->errors()));
        v8::V8::InitializePlatform(&n->platform);
        v8::V8::Initialize();
        std::vector<std::string> errors;
        auto flags = static_cast<node::EnvironmentFlags::Flags>(node::EnvironmentFlags::kOwnsProcessState |
                                                                node::EnvironmentFlags::kNoCreateInspector);
        n->setup = node::CommonEnvironmentSetup::Create(&n->platform, &errors, std::vector<std::string>{ "node" },
                                                        std::vector<std::string>{}, flags);
        if (!n->setup)
                return fail(why, why_size, join(errors));
        int r = load(n.get(), why, why_size);
        node_embed *started = n.release(); /* V8 keeps pointers to it, so it is never freed */
        if (r == 0)
                *out = started;
        return r;
}

bool node_embed_preload(struct node_embed *n, const char *name)
{
        Inside in(n);
        bool loaded;
        {
                node::CallbackScope scope(in.isolate, v8::Object::New(in.isolate), { 0, 0 });
                v8::TryCatch caught(in.isolate); /* inside the scope: an exception that reaches the scope ends the
                                                  * process */
                loaded = !in.call("preload", { in.string(name) }).IsEmpty();
        }
        turn_loop(n);
        return loaded;
}

void node_embed_rehearse(struct node_embed *n)
{
        Inside in(n);
        {
                node::CallbackScope scope(in.isolate, v8::Object::New(in.isolate), { 0, 0 });
                v8::TryCatch caught(in.isolate);
                in.call("rehearse", {});
        }
        turn_loop(n);
}

void node_embed_settle(struct node_embed *n)
{
        Inside in(n);
        turn_loop(n);
        in.isolate->LowMemoryNotification(); /* a collection in a child would copy the pages that it marks */
}

int node_embed_forked(struct node_embed *n)
{
        signal(SIGPIPE, SIG_IGN); /* as node does */
        int r = n->signal_lock.renew();
        if (r == 0)
                r = uv_loop_fork(n->setup->event_loop());
        if (r < 0)
                return r;

        /* Math.random gets its state from this seed at its first call. No zygote calls it before. */
        uint32_t seed;
        if (getrandom(&seed, sizeof seed, 0) != sizeof seed || n->reseed() != 1)
                return -EIO;
        std::string flag = "--random-seed=" + std::to_string((seed >> 1) | 1);
        v8::V8::SetFlagsFromString(flag.c_str());

        Inside in(n);
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        node::per_process::node_start_time = now;
        node::performance::timeOrigin = now;
        auto number = [&in](double value) { return v8::Number::New(in.isolate, value).As<v8::Value>(); };
        bool renewed = !in.call("renew", { number(getpid()), number(static_cast<double>(now)),
                                           number(static_cast<double>(clock_ns(CLOCK_REALTIME) / 1000) / 1000) })
                                .IsEmpty();
        return renewed ? 0 : -EIO;
}

int node_embed_run(struct node_embed *n, const char *entry, char *const *args, char *const *env, bool echo,
                   uint64_t memory_bytes)
{
        Inside in(n);
        limit_heap(in.isolate, memory_bytes);
        v8::Local<v8::Value> main;
        bool prepared = in.call("prepare",
                                { in.string(entry), in.array(args), in.array(env), v8::Boolean::New(in.isolate, echo) })
                                .ToLocal(&main);
        if (!prepared)
                end(1); /* the reason was printed */
        if (!main->IsFunction())
                return NODE_EMBED_FRESH;
        {
                /* The first callback of a process has the number 1. An error in it is caught inside the scope.
                 * Otherwise the scope would leave the program's pending ticks to a later callback. */
                node::CallbackScope scope(in.isolate, v8::Object::New(in.isolate), { 1, 0 });
                v8::TryCatch caught(in.isolate);
                caught.SetVerbose(true);
                /* Empty after an exception, which was handled already. */
                v8::MaybeLocal<v8::Value> ended =
                        main.As<v8::Function>()->Call(in.context, v8::Undefined(in.isolate), 0, nullptr);
                (void)ended;
        }
        end(node::SpinEventLoop(n->setup->env()).FromMaybe(1));
}

const char *node_embed_version(void)
{
        return NODE_VERSION + 1; /* without the v */
}
