#!/usr/bin/env bash
# Builds detectron2 and its DensePose from one commit against this environment's PyTorch; Snakemake runs it inside the
# new environment. By hand: activate the environment and run it again; what is done is not done twice.
#
# The operators are built for the CPU only, so no CUDA compiler is needed: the networks of DensePose take theirs from
# torchvision, whose wheel has them for CUDA too.
set -Eeuo pipefail

REPOSITORY=https://github.com/facebookresearch/detectron2.git
COMMIT=02b5c4e295e990042a714712c21dc79b731e8833 # a commit's name is the checksum of all its files
FOLDER=${CONDA_PREFIX:?activate the conda environment of surface_densepose first}/share/understudy
SOURCE=$FOLDER/detectron2
DONE=$FOLDER/detectron2.$COMMIT.done

step="the first step"
trap 'echo "surface_densepose.post-deploy.sh: $step failed (line $LINENO); nothing is used of what was half done." \
  "Mend it and run the same command again, or activate $CONDA_PREFIX and run this script." >&2' ERR

begin() {
  step=$1
  echo "surface_densepose.post-deploy.sh: $step"
}

check() {
  begin "checking that both can be imported"
  python -c "import detectron2._C, densepose.vis.extractor"
}

if [ -e "$DONE" ]; then
  check
  exit 0
fi
mkdir -p "$FOLDER"

begin "looking for PyTorch"
python -c "import torch, torchvision; print('PyTorch', torch.__version__, 'torchvision', torchvision.__version__)"

begin "fetching detectron2 $COMMIT"
[ -d "$SOURCE/.git" ] || git init --quiet "$SOURCE"
git -C "$SOURCE" cat-file -e "$COMMIT^{commit}" 2>/dev/null ||
  git -C "$SOURCE" fetch --quiet --depth 1 "$REPOSITORY" "$COMMIT"
git -C "$SOURCE" checkout --quiet --force "$COMMIT"
git -C "$SOURCE" clean --quiet --force -d -x

begin "checking what was fetched"
found=$(git -C "$SOURCE" rev-parse HEAD)
if [ "$found" != "$COMMIT" ]; then
  echo "expected commit $COMMIT, found $found" >&2
  false
fi

# Without a GPU in sight detectron2 builds no CUDA code, whatever CUDA the machine has.
export CUDA_VISIBLE_DEVICES="" FORCE_CUDA=0 MAX_JOBS=${MAX_JOBS:-4}

begin "building detectron2 (a minute or two)"
python -m pip install --no-build-isolation --no-deps --force-reinstall "$SOURCE"

begin "installing DensePose"
python -m pip install --no-build-isolation --no-deps --force-reinstall "$SOURCE/projects/DensePose"

begin "copying the models' configurations"
rm -rf "$FOLDER/densepose"
cp -R "$SOURCE/projects/DensePose/configs" "$FOLDER/densepose"

check
touch "$DONE"
begin "done: detectron2 and DensePose are ready"
