// Elementary functions with the same bits on every instruction set, compiler and C library: SLEEF's
// deterministic scalar set (no FMA), within 1 ulp of normal results over the whole range (erf,
// erfc: 1.5; sinh and cosh where they exceed e^709: 4). Shibata and Petrogalli, "SLEEF: A Portable
// Vectorized Library of C Standard Mathematical Functions", IEEE TPDS 2020.
#pragma once

/// Values outside a function's domain, and NaN, give the canonical quiet NaN
/// (std::numeric_limits<T>::quiet_NaN()); infinities and signed zeros are as in IEEE 754.
namespace flipscope::det {

float exp(float x);
float exp2(float x);
float expm1(float x);
float log(float x);
float log2(float x);
float log1p(float x);
float sin(float x);
float cos(float x);
float tan(float x);
float asin(float x);
float acos(float x);
float atan(float x);
float sinh(float x);
float cosh(float x);
float tanh(float x);
float asinh(float x);
float acosh(float x);
float atanh(float x);
float erf(float x);
float erfc(float x);
float cbrt(float x);
float pow(float x, float y);

double exp(double x);
double exp2(double x);
double expm1(double x);
double log(double x);
double log2(double x);
double log1p(double x);
double sin(double x);
double cos(double x);
double tan(double x);
double asin(double x);
double acos(double x);
double atan(double x);
double sinh(double x);
double cosh(double x);
double tanh(double x);
double asinh(double x);
double acosh(double x);
double atanh(double x);
double erf(double x);
double erfc(double x);
double cbrt(double x);
double lgamma(double x);
double pow(double x, double y);

}  // namespace flipscope::det
