rule decode_clip:
    """Ingest a video once: upright, cropped, at a constant rate, its sound kept."""
    input:
        video=source_video,
        crop="results/clips/{clip}/crop.json",
    output:
        frames="results/clips/{clip}/frames.h5",
        sound="results/clips/{clip}/sound.mka",
    log:
        "results/logs/decode_clip/{clip}.log",
    benchmark:
        "results/benchmarks/decode_clip/{clip}.tsv"
    conda:
        environment("video", "decode")
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        clip=decoded_row,
        settings=decode_of,
        version=version("video"),
    script:
        "../workflow/scripts/decode_clip.py"
