"""Evaluate a trained model; the same as `emollama evaluate`.

python eval_emotion.py --cfg-path eval_configs/quickstart.yaml [--options batch_size=4 ...]
torchrun --nproc_per_node 1 eval_emotion.py --cfg-path eval_configs/eval_emotion.yaml \
    --dataset feature_face_caption
"""

from emollama.cli.scripts import evaluate_main

if __name__ == "__main__":
    evaluate_main()
