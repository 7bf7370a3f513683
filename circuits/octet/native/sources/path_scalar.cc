// The path for every machine.
#define OCTET_ARCH scalar
#include "lanes_scalar.h"
#include "small_scalar.h"
#include "path.h"

namespace octet {
const Path& scalar_path() { return scalar::kernels; }
}  // namespace octet
