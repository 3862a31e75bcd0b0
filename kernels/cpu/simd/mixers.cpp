// The inner loops of KDA and MLA for the instruction set KLP_ISA. Everything but the table at the end is local: see vector.inc.h.
#include "kernels/cpu/simd/mixers.h"

#include "kernels/cpu/simd/kda.inc.h"
#include "kernels/cpu/simd/mla.inc.h"
#include "kernels/cpu/simd/mla_amx.inc.h"
#include "kernels/cpu/simd/mla_prefill.inc.h"
#include "kernels/cpu/simd/mla_prefill_amx.inc.h"

namespace klp {

#define KLP_JOIN2(a, b) a##b
#define KLP_JOIN(a, b) KLP_JOIN2(a, b)
extern const Mixers KLP_JOIN(kMixers_, KLP_ISA);
const Mixers KLP_JOIN(kMixers_, KLP_ISA){
    .kda_scratch = KdaWork::floats,
    .kda = kda,
    .absorb = absorb,
    .attend_scratch = attend_scratch,
    .attend = attend,
    .merge = merge,
    .widen = widen_rows,
    .expand_begin = expand_begin,
    .expand = expand,
    .expand_end = expand_end,
    .prefill_scratch = prefill_scratch,
    .prefill = prefill,
};

}  // namespace klp
