#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes cuda_helpers_ptx.h from cuda_helpers.cu, on stdout: PTX for every GPU since Turing, as C
# string literals. The version is set down to what drivers of CUDA 12 and 13 both read: the
# instructions are all older. Needs nvcc; its output is committed, so that a build needs none.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
nvcc=${NVCC:-nvcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$nvcc" -std=c++17 -O3 -ptx -arch=compute_75 -I "$here/../../kernels" \
    -o "$work/helpers.ptx" "$here/cuda_helpers.cu"
echo '/* SPDX-License-Identifier: Apache-2.0 */'
echo '/* Made by cuda_helpers.sh from cuda_helpers.cu: do not edit. */'
echo 'static const char cuda_helpers_ptx[] ='
sed -e 's/^\.version .*/.version 7.5/' -e '/^[[:space:]]*\/\//d' -e '/^[[:space:]]*$/d' \
    -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/ /g' -e 's/^.*$/    "&\\n"/' "$work/helpers.ptx"
echo '    "";'
