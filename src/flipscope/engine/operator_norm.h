// Upper bounds on how much affine operators lengthen a change, in the Euclidean norm.
//
// A zero-padded convolution, strided or not, is a part of a circular one on a torus that is larger
// than the input by the kernel's reach, so its norm is at most the largest norm of the kernel's
// Fourier transform, a matrix [out][in], over the frequencies of that torus.
#pragma once

#include <vector>

#include "flipscope/ops/op.h"

namespace flipscope {

struct OperatorNorm {
  double all = 0;               ///< of a change of the whole input
  std::vector<double> channel;  ///< [input channel] of a change of that channel alone
  double absolute = 0;          ///< of the operator with |w| for w
};

/// x [1,C,spatial…], w [M,C/groups,kernel…] in C order.
OperatorNorm convolution_norm(const Convolution& op, const Shape& x_shape, const Shape& w_shape,
                              const float* w);

/// A row vector times w [rows][columns]; every row is an input channel.
OperatorNorm matrix_norm(const float* w, std::int64_t rows, std::int64_t columns);

}  // namespace flipscope
