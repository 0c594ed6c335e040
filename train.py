"""Train a language model or a fusion model; the same as `emollama train`.

python train.py --cfg-path train_configs/quickstart.yaml [--options training.max_steps=20 ...]
torchrun --nproc_per_node 2 train.py --cfg-path train_configs/quickstart.yaml
"""

from emollama.cli.scripts import train_main

if __name__ == "__main__":
    train_main()
