/* Node embedded so that it can be forked: see node_embed.h. Three things stand in the way, and are dealt with here: V8 asks
 * the kernel not to copy its heap into children; it wants threads, which no fork takes along; and the event loop's
 * descriptors are shared with the parent's. */
#include "lang/node_embed.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
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

namespace {

/* V8's own platform without threads, as Node wants to see one: what was posted runs when the loop asks for it. */
class SingleThreadedPlatform : public node::MultiIsolatePlatform {
    public:
        bool FlushForegroundTasks(v8::Isolate *isolate) override
        {
                bool any = false;
                while (v8::platform::PumpMessageLoop(platform.get(), isolate))
                        any = true;
                return any;
        }
        void DrainTasks(v8::Isolate *isolate) override { FlushForegroundTasks(isolate); }
        void RegisterIsolate(v8::Isolate *, uv_loop_s *) override {}
        void RegisterIsolate(v8::Isolate *, node::IsolatePlatformDelegate *) override {}
        void UnregisterIsolate(v8::Isolate *isolate) override
        {
                v8::platform::NotifyIsolateShutdown(platform.get(), isolate);
        }
        void AddIsolateFinishedCallback(v8::Isolate *, void (*callback)(void *), void *data) override { callback(data); }
        int NumberOfWorkerThreads() override { return 0; }
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
        bool IdleTasksEnabled(v8::Isolate *) override { return false; }
        std::unique_ptr<v8::JobHandle> PostJob(v8::TaskPriority priority, std::unique_ptr<v8::JobTask> task) override
        {
                return platform->PostJob(priority, std::move(task));
        }
        double MonotonicallyIncreasingTime() override { return platform->MonotonicallyIncreasingTime(); }
        double CurrentClockTimeMillis() override { return platform->CurrentClockTimeMillis(); }
        v8::TracingController *GetTracingController() override { return platform->GetTracingController(); }

    private:
        std::unique_ptr<v8::Platform> platform = v8::platform::NewSingleThreadedDefaultPlatform();
};

/* Numbers below this one are a sandbox's: its job, its report (zygote/boot.c). The loop closes the numbers that it knows
 * of when it is told of a fork, so it must know none of these. */
constexpr int first_free_number = 16;

class LowNumbersTaken {
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

/* V8 marks its heap MADV_DONTFORK. From here on that call does nothing, and says that it has worked: a filter needs no
 * symbol to be bent, and holds for whoever makes the call. */
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
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

v8::Local<v8::Array> array_of(v8::Isolate *isolate, v8::Local<v8::Context> context, char *const *words)
{
        v8::Local<v8::Array> array = v8::Array::New(isolate);
        for (uint32_t i = 0; words[i]; i++)
                array->Set(context, i, v8::String::NewFromUtf8(isolate, words[i]).ToLocalChecked()).Check();
        return array;
}

/* As Node's own end, but for the teardown of what goes with the process anyway, and which nobody sees. */
[[noreturn]] void end(int status)
{
        fflush(nullptr);
        _exit(status);
}

} // namespace

struct node_embed {
        SingleThreadedPlatform platform;
        std::unique_ptr<node::CommonEnvironmentSetup> setup;
        v8::Global<v8::Function> run;
};

static int fail(char *why, size_t size, const std::string &sentence)
{
        snprintf(why, size, "%s", sentence.c_str());
        return -1;
}

static std::string join(const std::vector<std::string> &lines)
{
        std::string all;
        for (const std::string &line : lines)
                all += (all.empty() ? "" : "; ") + line;
        return all;
}

static int load(node_embed *n, const char *script, char *why, size_t size)
{
        v8::Isolate *isolate = n->setup->isolate();
        v8::Locker locker(isolate);
        v8::Isolate::Scope isolate_scope(isolate);
        v8::HandleScope handle_scope(isolate);
        v8::Context::Scope context_scope(n->setup->context());

        node::SetProcessExitHandler(n->setup->env(), [](node::Environment *, int status) { end(status); });
        v8::Local<v8::Value> value;
        if (!node::LoadEnvironment(n->setup->env(), script).ToLocal(&value) || !value->IsFunction())
                return fail(why, size, "Node does not take its own start");
        n->run.Reset(isolate, value.As<v8::Function>());
        if (node::SpinEventLoop(n->setup->env()).FromMaybe(1) != 0)
                return fail(why, size, "Node's event loop does not come to rest");
        isolate->LowMemoryNotification(); /* a collection in a child would copy what it marks */
        return 0;
}

int node_embed_start(struct node_embed **out, const char *script, char *why, size_t why_size)
{
        LowNumbersTaken low_numbers;
        int r = allow_forks_of_the_heap();
        if (r < 0)
                return fail(why, why_size, "a filter for Node's heap can't be set");

        auto init = node::InitializeOncePerProcess(
                { "node", "--single-threaded" }, { node::ProcessInitializationFlags::kNoInitializeV8,
                                                   node::ProcessInitializationFlags::kNoInitializeNodeV8Platform,
                                                   node::ProcessInitializationFlags::kNoDefaultSignalHandling,
                                                   node::ProcessInitializationFlags::kNoAdjustResourceLimits });
        if (init->early_return())
                return fail(why, why_size, join(init->errors()));
        auto n = std::make_unique<node_embed>();
        v8::V8::InitializePlatform(&n->platform);
        v8::V8::Initialize();
        std::vector<std::string> errors;
        auto flags = static_cast<node::EnvironmentFlags::Flags>(node::EnvironmentFlags::kOwnsProcessState |
                                                                node::EnvironmentFlags::kNoCreateInspector);
        n->setup = node::CommonEnvironmentSetup::Create(&n->platform, &errors, std::vector<std::string>{ "node" },
                                                        std::vector<std::string>{}, flags);
        if (!n->setup)
                return fail(why, why_size, join(errors));
        r = load(n.get(), script, why, why_size);
        if (r == 0)
                *out = n.release();
        return r;
}

int node_embed_forked(struct node_embed *n)
{
        /* Math.random takes its first state when it is first called, which no zygote does. */
        uint32_t seed;
        if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
                return -errno;
        std::string flag = "--random-seed=" + std::to_string((seed >> 1) | 1);
        v8::V8::SetFlagsFromString(flag.c_str());
        return uv_loop_fork(n->setup->event_loop());
}

int node_embed_run(struct node_embed *n, const char *entry, char *const *args, char *const *env, bool echo)
{
        v8::Isolate *isolate = n->setup->isolate();
        v8::Locker locker(isolate);
        v8::Isolate::Scope isolate_scope(isolate);
        v8::HandleScope handle_scope(isolate);
        v8::Local<v8::Context> context = n->setup->context();
        v8::Context::Scope context_scope(context);
        {
                node::CallbackScope scope(isolate, context->Global(), { 0, 0 });
                v8::Local<v8::Value> values[] = { v8::String::NewFromUtf8(isolate, entry).ToLocalChecked(),
                                                  array_of(isolate, context, args), array_of(isolate, context, env),
                                                  v8::Boolean::New(isolate, echo) };
                (void)n->run.Get(isolate)->Call(context, v8::Undefined(isolate), 4, values);
        }
        end(node::SpinEventLoop(n->setup->env()).FromMaybe(1));
}
