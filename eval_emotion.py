"""Evaluate an EmotionLlama: predictions, metrics, figures, modality report.

python eval_emotion.py --cfg-path eval_configs/quickstart.yaml [--options batch_size=4 ...]
"""

from emollama.cli import evaluate_main

if __name__ == "__main__":
    evaluate_main()
