// The path for x86-64 with AVX512-IFMA; the only file compiled with those instructions. Nothing here may
// run, not even a constructor of a global, before capi.cc has asked the processor.
#define OCTET_ARCH ifma
#include "lanes_ifma.h"
#include "small_ifma.h"
#include "path.h"

namespace octet {
const Path& ifma_path() { return ifma::kernels; }
}  // namespace octet
