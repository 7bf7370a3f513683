// The path for x86-64 with BMI2 and ADX: one element at a time, with the carries of two additions at once.
#define OCTET_ARCH adx
#include "lanes_scalar.h"
#include "small_scalar.h"
#include "path.h"

namespace octet {
const Path& adx_path() { return adx::kernels; }
}  // namespace octet
