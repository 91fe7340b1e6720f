#!/usr/bin/env bash
# Builds OpenPose and its Python module from source into this environment; Snakemake runs it when it has made the
# environment. It works in a cache outside of the environment (which Snakemake removes when a step fails), with a stamp
# for each finished step, so the same command goes on where it stopped. Commit ids are checksums: git refuses sources
# that differ from them. No networks are downloaded: docs/estimators.md says where to put them.
#
# Variables you may set:
#   OPENPOSE_DEVICE     cuda or cpu; left out, cuda where there is an nvcc (CUDA_HOME, PATH, /usr/local/cuda)
#   OPENPOSE_CUDA_ARCH  compute capabilities such as "70 80"; left out, those of the GPUs of this machine
#   OPENPOSE_CACHE      where to build (default ~/.cache/understudy)
#   OPENPOSE_JOBS       compilers at once (default: all cores)
set -euo pipefail

OPENPOSE_COMMIT=5c5d96523ef917bd30301245fdc8343937cae48d # 2024-08-02, 1.7.0 with the repairs since
CAFFE_COMMIT=1807aadafc934a2a1341021620981cb1ec526b83    # the one OpenPose's own build takes
PYBIND11_COMMIT=a2e59f0e7065404b44dfe92a28aca47ba1378dc4 # 2.13.6; the one OpenPose names knows no Python after 3.10

prefix=${CONDA_PREFIX:?"is not set; this script runs inside the environment it builds for: conda activate it first"}
python=$prefix/bin/python

fail() {
  echo "pose_openpose: $*" >&2
  exit 1
}

find_cuda() { # prints the folder of a CUDA toolkit, nothing where there is none
  local folder on_path
  on_path=$(readlink -f "$(command -v nvcc || echo /none/bin/nvcc)")
  for folder in "${CUDA_HOME:-/none}" "${on_path%/bin/nvcc}" /usr/local/cuda; do
    if [ -x "$folder/bin/nvcc" ] && { [ -e "$folder/include/cuda_runtime.h" ] || [ -d "$folder/targets" ]; }; then
      echo "$folder"
      return
    fi
  done
}

cuda=$(find_cuda)
device=${OPENPOSE_DEVICE:-$([ -n "$cuda" ] && echo cuda || echo cpu)}
case $device in
cuda) [ -n "$cuda" ] || fail "OPENPOSE_DEVICE is cuda, but there is no nvcc in CUDA_HOME, on PATH or in" \
  "/usr/local/cuda; load or install a CUDA toolkit (11 or 12), or set OPENPOSE_DEVICE=cpu." ;;
cpu) ;;
*) fail "OPENPOSE_DEVICE is '$device', expected cuda or cpu." ;;
esac

cache=${OPENPOSE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/understudy}
work=$cache/openpose-${OPENPOSE_COMMIT:0:8}-$device-$(basename "$prefix")
source=$work/openpose
built=$work/installed
jobs=${OPENPOSE_JOBS:-$(nproc)}
mkdir -p "$work"
# A job on another machine may build the same; the second one waits and then finds all steps done.
exec 9>"$work/lock"
if command -v flock >/dev/null; then flock 9; fi
echo "pose_openpose: OpenPose ${OPENPOSE_COMMIT:0:8} for $device, in $work"

step() { # name, command...: once, with its output in a log whose end is shown when it fails
  local name=$1 log=$work/$1.log
  shift
  if [ -e "$work/$name.done" ]; then
    echo "pose_openpose: $name was done before"
    return
  fi
  echo "pose_openpose: $name ..."
  local status=0
  set +e # `if ! step` would keep a failing command inside a function from ending it
  (set -e; "$@") >"$log" 2>&1
  status=$?
  set -e
  if [ "$status" != 0 ]; then
    tail -n 40 "$log" >&2
    fail "the step '$name' failed ($*); the lines above are the end of $log." \
      "Mend what they name and run the same command again: finished steps are kept."
  fi
  touch "$work/$name.done"
}

fetch() { # folder, address, commit: a checkout without history; a half-finished one starts anew
  rm -rf "$1" "$1.part"
  mkdir -p "$1.part"
  git -C "$1.part" init --quiet
  git -C "$1.part" fetch --quiet --depth 1 "$2" "$3"
  git -C "$1.part" checkout --quiet FETCH_HEAD
  [ "$(git -C "$1.part" rev-parse HEAD)" = "$3" ] || fail "$2 gave another commit than $3"
  rm -rf "$1.part/.git" # OpenPose's build would ask git for other commits
  mv "$1.part" "$1"
}

fetch_parts() { # into the folders OpenPose's build looks in
  fetch "$source/3rdparty/caffe" https://github.com/CMU-Perceptual-Computing-Lab/caffe.git "$CAFFE_COMMIT"
  fetch "$source/3rdparty/pybind11" https://github.com/pybind/pybind11.git "$PYBIND11_COMMIT"
}

patch_caffe() { # protobuf dropped the second number of a limit in 2022, which it had ignored for years
  sed -i 's/SetTotalBytesLimit(kProtoReadBytesLimit, 536870912)/SetTotalBytesLimit(kProtoReadBytesLimit)/' \
    "$source/3rdparty/caffe/src/caffe/util/io.cpp"
  grep -q 'SetTotalBytesLimit(kProtoReadBytesLimit);' "$source/3rdparty/caffe/src/caffe/util/io.cpp"
}

if [ "$device" = cuda ]; then
  export PATH=$cuda/bin:$PATH
  # cuDNN stays off: this Caffe knows it up to version 7 only.
  if [ -n "${OPENPOSE_CUDA_ARCH:-}" ]; then
    arch=(-DCUDA_ARCH=Manual "-DCUDA_ARCH_BIN=$OPENPOSE_CUDA_ARCH" -DCUDA_ARCH_PTX=)
    caffe_arch=(-DCUDA_ARCH_NAME=Manual "-DCUDA_ARCH_BIN=$OPENPOSE_CUDA_ARCH" -DCUDA_ARCH_PTX=)
  else
    arch=(-DCUDA_ARCH=Auto)
    caffe_arch=(-DCUDA_ARCH_NAME=Auto)
  fi
  caffe_mode=(-DCPU_ONLY=OFF -DUSE_CUDNN=OFF "-DCUDA_TOOLKIT_ROOT_DIR=$cuda" "${caffe_arch[@]}")
  openpose_mode=(-DGPU_MODE=CUDA -DUSE_CUDNN=OFF "-DCUDA_TOOLKIT_ROOT_DIR=$cuda" "${arch[@]}")
else
  caffe_mode=(-DCPU_ONLY=ON -DUSE_CUDNN=OFF)
  openpose_mode=(-DGPU_MODE=CPU_ONLY)
fi
here=(-DCMAKE_BUILD_TYPE=Release "-DCMAKE_PREFIX_PATH=$prefix"
  "-DCMAKE_INSTALL_RPATH=$prefix/lib/openpose;$prefix/lib" -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON)

configure_caffe() {
  cmake -S "$source/3rdparty/caffe" -B "$work/build-caffe" "${here[@]}" "${caffe_mode[@]}" -DBLAS=Open \
    -DBUILD_docs=OFF -DBUILD_python=OFF -DBUILD_python_layer=OFF -DUSE_LEVELDB=OFF -DUSE_LMDB=OFF -DUSE_OPENCV=OFF
}

build_caffe() {
  make -C "$work/build-caffe" -j "$jobs" caffe caffeproto
  mkdir -p "$built/include" "$built/lib" # its own installation would build its programs too
  cp -R "$source/3rdparty/caffe/include/caffe" "$work/build-caffe/include/caffe" "$built/include/"
  cp -P "$work/build-caffe"/lib/libcaffe.so* "$built/lib/"
}

configure_openpose() {
  cmake -S "$source" -B "$work/build-openpose" "${here[@]}" "${openpose_mode[@]}" -DBUILD_CAFFE=OFF \
    "-DCaffe_INCLUDE_DIRS=$built/include" "-DCaffe_LIBS=$built/lib/libcaffe.so" \
    -DBUILD_PYTHON=ON "-DPYTHON_EXECUTABLE=$python" -DBUILD_EXAMPLES=OFF -DBUILD_DOCS=OFF \
    -DDOWNLOAD_BODY_25_MODEL=OFF -DDOWNLOAD_FACE_MODEL=OFF -DDOWNLOAD_HAND_MODEL=OFF
}

build_openpose() {
  make -C "$work/build-openpose" -j "$jobs" pyopenpose
}

install_module() { # the environment may be new while the build is old, so this is done every time
  local packages
  packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
  rm -rf "$packages/openpose"
  mkdir -p "$packages/openpose" "$prefix/lib/openpose" "$prefix/share/openpose"
  cp -P "$built"/lib/libcaffe*.so* "$prefix/lib/openpose/"
  find "$work/build-openpose" -name 'libopenpose*.so*' -exec cp -P {} "$prefix/lib/openpose/" \;
  find "$work/build-openpose" -name 'pyopenpose*.so' -exec cp {} "$packages/openpose/" \;
  cp "$source/python/openpose/__init__.py" "$packages/openpose/"
  cp -R "$source/models" "$prefix/share/openpose/" # the descriptions of the networks; their weights are yours to add
}

step fetch-openpose fetch "$source" https://github.com/CMU-Perceptual-Computing-Lab/openpose.git "$OPENPOSE_COMMIT"
step fetch-parts fetch_parts
step patch-caffe patch_caffe
step configure-caffe configure_caffe
step build-caffe build_caffe
step configure-openpose configure_openpose
step build-openpose build_openpose
rm -f "$work/install.done" "$work/import.done"
step install install_module
step import "$python" -c 'from openpose import pyopenpose; pyopenpose.WrapperPython; pyopenpose.Datum'
echo "pose_openpose: done; OpenPose's Python module for $device is in $prefix"
