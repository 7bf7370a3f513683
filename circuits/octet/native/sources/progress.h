// How far a proof is: its phases, the time each took, and the caller's wish to go on. Work that is spread over
// threads asks for it too, job by job, on the caller's own thread, so that no long phase keeps anyone waiting.
#pragma once
#include <time.h>
#include "shared.h"

namespace octet {
namespace OCTET_ARCH {

enum Phase { FIRST_COMMITMENTS, SECOND_COLUMNS, SECOND_COMMITMENTS, WIRING, FIRST_SUM, CLAIMS, SECOND_SUM, OPENING, PHASES };

class Progress {
 public:
  // tell: called on the proving thread with the phase and what part of it is done; not 0 means to stop.
  // seconds: one place per phase.
  Progress(int (*tell)(int phase, double done), double* seconds) : tell_(tell), seconds_(seconds) {
    for (int i = 0; i < PHASES; i++) seconds_[i] = 0;
    since_ = told_ = now();
    here() = this;
  }
  ~Progress() { here() = nullptr; }
  Progress(const Progress&) = delete;

  void begin(Phase phase) {
    end();
    phase_ = phase;
    at(0);
  }
  // Throws Cancelled.
  void at(double done) {
    done_ = done;
    told_ = now();
    if (tell_ && tell_(phase_, done)) throw Cancelled();
  }
  // Between two jobs: tells once more if the last time is a while ago. Throws Cancelled.
  static void poll() {
    Progress* progress = here();
    if (progress && now() - progress->told_ > INTERVAL) progress->at(progress->done_);
  }
  void end() {
    const double time = now();
    if (phase_ >= 0) seconds_[phase_] += time - since_;
    since_ = time;
  }

 private:
  static double now() {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
  }

  // The one of the proof that this thread makes.
  static Progress*& here() {
    static thread_local Progress* progress = nullptr;
    return progress;
  }

  static constexpr double INTERVAL = 0.05;  // seconds

  int (*tell_)(int, double);
  double* seconds_;
  double since_, told_, done_ = 0;
  int phase_ = -1;
};

}  // namespace OCTET_ARCH
}  // namespace octet
