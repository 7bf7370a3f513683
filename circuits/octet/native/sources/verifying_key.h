// A model as its verifier knows it, with everything worked out that no statement changes.
#pragma once
#include "pairing.h"
#include "proof_words.h"
#include "statement.h"

namespace octet {
namespace OCTET_ARCH {

struct VerifyingKey {
  Program program;
  List<PointWord> commitments;
  uint8_t digest[32];
  PreparedG2 one, tau;  // [1]_2, [tau]_2
  Claims claims;
  Lengths lengths;

  // Everything that no statement changes; the claims' names and order are the same at every point.
  void prepare(const G2Affine& tau_g2) {
    one = PreparedG2(g2_generator());
    tau = PreparedG2(tau_g2);
    claims = octet::OCTET_ARCH::claims(program);
    lengths = octet::OCTET_ARCH::lengths(program, claims);
  }

  static G2Affine g2_generator() {  // EIP-197
    static const u64 words[4][4] = {
        {0x46debd5cd992f6edULL, 0x674322d4f75edaddULL, 0x426a00665e5c4479ULL, 0x1800deef121f1e76ULL},
        {0x97e485b7aef312c2ULL, 0xf1aa493335a9e712ULL, 0x7260bfb731fb5d25ULL, 0x198e9393920d483aULL},
        {0x4ce6cc0166fa7daaULL, 0xe3d1e7690c43d37bULL, 0x4aab71808dcb408fULL, 0x12c85ea5db8c6debULL},
        {0x55acdadcd122975bULL, 0xbc4b313370b38ef3ULL, 0xec9e99ad690c3395ULL, 0x090689d0585ff075ULL}};
    return G2Affine{Fq2{Fq::from_words(words[0]), Fq::from_words(words[1])},
                    Fq2{Fq::from_words(words[2]), Fq::from_words(words[3])}, false};
  }
};

}  // namespace OCTET_ARCH
}  // namespace octet
