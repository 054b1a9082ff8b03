"""Options that are right one by one and wrong together."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from scripts.bad_input.lines import Line

LINES = {  # what is wrong with the lines below it
    "the densities of a sweep": [
        "densities=[0.5,0.5]", "densities=[0.5,0.50]", "densities=[1.0,1]", "densities=[0.1,1.1]", "densities=[0]", "densities=[0.0,0.5]",
        "densities=[-0.1]", "densities=[]", "densities=[nan]", "densities=[0.5,null]", "densities=[1e-300]", "densities=[1e-9]",
        "densities=[50]", "densities=[0.5,[0.1]]", "densities=[50%]", "densities=[1/2]", "densities=0.5", "densities='0.5,0.1'",
        "densities=[0.5] densities=[0.1]", "densities=[0.5,0.4999999999]", "densities=[5e-324]", "densities=[0.5,0.1],[0.1,0.5,0.1]",
    ],
    "seeds": [
        "seed=range(0)", "seed=range(5,5)", "seed=range(3,0)", "seed=range(-2,1)", "seed=-1", "seed=18446744073709551616",
        "seed=4294967296", "seed=range(4294967295,4294967298)", "seed=0,1,-1", "seed=0,0", "seed=0,1,0", "seed=[0,1]", "seed=0.0",
        "seed=0,a", "seed=range(0,3,-1)", "seed=null,0", "seed=true", "seed=0..3", "seed=0-3", "seed=0:3", "seed=0 seed=1",
    ],
    "the same in a sweep more than once": [
        "masker=greedy,greedy", "rounds=2,2", "recipe.lr=0.1,0.10", "scorer=magnitude,magnitude seed=0,0",
    ],
    "a masker and a network that it does not go with": [
        "masker=ramanujan model=torchvision_efficientnet_b0", "masker=ramanujan model=vgg_small densities=[0.01]",
        "masker=ramanujan masker.p=4", "masker=ramanujan masker.p=17 model=vgg13_2448",
        "masker=ramanujan masker.p=6 masker.least_channels=1", "masker=ramanujan masker.least_channels=1000000",
        "masker=ramanujan masker.convolutions=false model=vgg_small", "masker=ramanujan masker.convolutions=false densities=[1.0]",
        "masker=ramanujan densities=[0.9]", "masker=ramanujan densities=[0.999]", "masker=ramanujan_fit densities=[0.0001]",
        "masker=ramanujan_fit densities=[0.001]", "masker=bss densities=[0.001]", "masker=structured scorer=bn_scale model=conv6",
        "masker=structured scorer=bn_scale model=vgg16_base", "masker=greedy scorer=bn_scale model=conv6",
        "masker=structured densities=[0.00001]", "masker=structured rounds=2", "masker=structured scorer=synflow",
        "masker=structured model=vit_small model.depth=1 model.width=48 densities=[0.3]",
        "masker=structured treatment=shuffle", "masker=structured treatment=repair",
        "masker=structured only=[Linear]", "masker=sparsify masker.scope=global masker.guarantee=tree",
        "masker=sparsify masker.join=disjoint masker.skip=unit", "masker=sparsify masker.skip=identify",
        "masker=sparsify masker.scope=global masker.sampling=paper masker.guarantee=tree",
        "masker=sparsify_global model=vit_small model.depth=1 model.width=48",
        "masker=radix_net densities=[0.0001]", "masker=x_net densities=[0.000001]", "masker=random_regular densities=[0.000001]",
        "masker=uniform densities=[0.000001]", "masker=erk densities=[0.000001]",
        "masker=n_m densities=[0.1]", "masker=n_m masker.n=4", "masker=n_m masker.m=1", "masker=n_m masker.n=0", "masker=n_m masker.m=1000",
        "masker=n_m scorer=synflow densities=[0.5]", "masker=n_m rounds=2 round_masker=greedy densities=[0.5]",
    ],
    "a scorer and what it needs": [
        "masker=greedy scorer=snip scorer.samples=100", "scorer=snip recipe.train_images=10", "scorer=grasp scorer.per_class=1000",
        "scorer=grasp scorer.halves=true scorer.per_class=1", "scorer=prospr scorer.samples=1000", "scorer=prospr scorer.steps=100000",
        "scorer=taylor scorer.samples=100000", "scorer=eigenvector_centrality scorer.of=activations scorer.samples=100000",
        "scorer=eigenvector_centrality scorer.tau=1", "scorer=synflow rounds=1000000001", "scorer=ntk_sap scorer.samples=200000",
        "scorer=phew model=vit_small model.depth=1 model.width=48", "scorer=phew scorer.most=1", "scorer=magnitude scorer.samples=5",
        "scorer=random scorer.batchnorm=train", "scorer=magnitude rounds=0", "masker=erk scorer=snip rounds=5",
        "masker=erk scorer=nothing", "masker=erk treatment=invert", "scorer=synflow dataset.train_count=0", "scorer=snip scorer.chunk=-1",
        "scorer=l2 masker=sparsify masker.scope=matched", "masker=greedy masker.scope=layer",
        "scorer=eigenvector_centrality masker=greedy", "scorer=snip recipe.train_images=1 scorer.samples=1 scorer.batchnorm=train",
    ],
    "when, rewind and rounds": [
        "rewind=epoch", "rewind=epoch rewind_epoch=1", "rewind_epoch=1", "when=trained rewind=epoch",
        "when=trained rewind=epoch rewind_epoch=1", "when=trained rewind=epoch rewind_epoch=99", "when=trained rewind_epoch=1",
        "when=trained rewind=init rewind_epoch=1", "rewind=none", "when=init rewind=none",
        "when=init rewind=epoch rewind_epoch=1 recipe.epochs=3", "rewind=epoch rewind_epoch=-1",
        "when=trained rewind=epoch rewind_epoch=1.5 recipe.epochs=3", "rounds=2 round_masker=erk", "rounds=1.0", "rounds=[1,2]",
        "when=trained treatment=reinit rewind=none recipe.epochs=0", "levels=3", "when=trained levels=0", "when=trained levels=1.5",
        "when=trained levels=3 rounds=2", "when=trained levels=3 masker=erk", "when=trained levels=3 masker=structured",
        "when=trained levels=3 rewind=none treatment=shuffle", "when=trained levels=1000000", "when=trained levels=2 densities=[0.00001]",
    ],
    "the selection of an epoch": [
        "select=best_validation", "patience=3", "select=best_validation patience=3", "select=best_validation dataset.validation=0",
        "patience=1 dataset.validation=0", "select=best_validation dataset.validation=1438", "select=best dataset.validation=100",
        "select=test dataset.validation=100", "select=last,best_validation", "patience=-1 dataset.validation=100",
        "patience=0,2", "patience=1.5 dataset.validation=100", "select=null dataset.validation=100", "patience=null",
        "select=best_validation dataset.validation=-1", "when=trained select=best_validation",
    ],
    "treatments": [
        "treatment=[repair,repair]", "treatment=repair,repair", "treatment=invert masker=uniform",
        "treatment=[invert] masker=ramanujan densities=[0.9]", "treatment=[]x", "treatment=[nothing]",
        "treatment.repair._target_=pruneexp.models.vgg.vgg_small", "+treatment.seed._target_=pruneexp.treatments.shuffle.shuffle",
        "treatment.repair.depth=3", "treatment={}", "treatment=true", "shuffle=true treatment=[]x", "repair=yes",
        "treatment=reinit when=trained rewind=none weights=imagenet",
    ],
    "a recipe": [
        "recipe.epochs=1 recipe.frozen_epochs=2", "recipe.frozen_epochs=100", "recipe.schedule=cosine recipe.milestones=[1]",
        "recipe.milestones=[5,2] recipe.epochs=1", "recipe.milestones=[0,0]", "recipe.milestones=[1,1] recipe.epochs=3",
        "recipe.milestones=[5] recipe.epochs=1", "recipe.milestones=[80,120]", "recipe.resized_crop=true recipe.shift=4",
        "recipe.crop=redrawn", "recipe.crop=redrawn recipe.resized_crop=false", "recipe.shift=129", "recipe.shift=33", "recipe.shift=32",
        "recipe.batch_size=100000", "recipe.batch_size=65", "recipe.batch_size=0", "recipe.train_images=2000", "recipe.train_images=1439",
        "recipe.test_images=360", "recipe.test_images=100000", "recipe.momentum=1", "recipe.label_smoothing=1",
        "recipe.label_smoothing=1.5", "recipe.lr=1e9", "recipe.lr=1e-300", "recipe.weight_decay=1e9",
        "recipe.gamma=0 recipe.milestones=[0]", "recipe.gamma=100000", "recipe.epochs=2 recipe.frozen_epochs=2 recipe.milestones=[1]",
        "recipe.epochs=null", "recipe=smoke recipe=finetune recipe.epochs=0", "recipe.gamma=0.5", "recipe.gamma=2 recipe.milestones=[]",
        "recipe.train_images=1 recipe.batch_size=1", "recipe.optimiser=adam recipe.momentum=0.5",
        "recipe.optimiser=adamw recipe.momentum=0", "recipe.optimiser=rmsprop", "recipe.warmup_epochs=8 recipe.epochs=8",
        "recipe.warmup_epochs=100", "recipe.epochs=8 recipe.warmup_epochs=5 recipe.milestones=[3]", "recipe.lr_interval=step",
        "recipe.lr_interval=step recipe.milestones=[]", "recipe.mixup=1e-9", "recipe.mixup=1001", "recipe.cutmix=true",
        "recipe.mixup=0.2 recipe.batch_size=1", "recipe.cutmix=1 recipe.batch_size=1", "recipe.mixup=[0.2]",
        "recipe.epochs=3 recipe.warmup_epochs=1 recipe.schedule=cosine recipe.milestones=[2]",
    ],
    "a device": [
        "trainer.accelerator=cuda", "trainer.accelerator=cuda trainer.precision=bf16", "trainer.devices=10000", "trainer.devices=1024",
        "trainer.devices=500", "trainer.devices=65", "trainer.devices=2 trainer.members=2", "trainer.devices=2 trainer.members=auto",
        "trainer.devices=0", "trainer.devices=3 recipe.batch_size=2", "trainer.threads=100000", "trainer.threads=4096",
        "trainer.threads=1000", "trainer.threads=-1", "trainer.threads=1.5", "trainer.members=0", "trainer.members=100000",
        "trainer.members=-1", "trainer.checkpoint_seconds=-1", "trainer.graphs=1", "trainer.devices=2 launcher=gpus",
        "launcher=gpus launcher.devices=0", "launcher=gpus launcher.devices=1024", "launcher=gpus launcher.devices=10000",
        "launcher=gpus trainer.accelerator=cuda", "trainer.devices=2 trainer.accelerator=cuda", "trainer.devices=auto",
        "trainer.devices=-1", "trainer.devices=[0,1]", "trainer.threads=auto", "trainer.precision=bf16 trainer.accelerator=gpu",
        "launcher=slurm", "launcher=slurm trainer.devices=4", "launcher=slurm launcher.gpus_per_node=1025",
        "launcher=slurm launcher.timeout_min=0", "launcher=slurm_local launcher.cpus_per_task=0", "launcher=slurm launcher.sbatch=[a]",
        "launcher.devices=2", "launcher=gpus launcher.devices=2 trainer.devices=2", "launcher=slurm launcher.mem_gb=0",
    ],
    "which weights": [
        "only=[nothing]", "only=[conv9]", "exclude=[nothing]", "exclude=['*']", "only=[Linear] exclude=[Linear]",
        "only=[] exclude=[Conv2d,Linear]", "only=fc", "only=[1]", "only=[null]", "only=['']", "only=[BatchNorm2d]",
        "only=[BatchNorm2d,fc]", "only=[bias]", "only=[fc.bias]", "only=[[fc]]", "only=[LINEAR]", "only=['[']", "only=['layers.99']",
        "exclude=[fc,fc,nothing]", "only=[fc] densities=[0.0001]", "only=[layers.0] masker=structured densities=[0.001]",
        "weights=nowhere", "weights=imagenet", "weights=imagenet model=vgg11", "weights=IMAGENET", "weights=.", "weights=/",
        "weights=/dev/null", "weights=/dev/zero", "weights=/etc/passwd", "weights=/proc/self/mem", "weights=/tmp", "weights=~/weights",
        "weights={here}/none.safetensors", "weights=http://127.0.0.1:9/a.pth", "weights=none batchnorm_init=zeros", "weights=",
        "weights=imagenet batchnorm_init=uniform model=torchvision_resnet18", "weights={here}", "initialisation=kaiming_uniform,nothing",
        "biases=frozen,thawed",
    ],
    "what a report shows": [
        "columns=[nothing]", "columns=[n,n]", "columns=[accuracy,accuracy]", "columns=[N]", "columns=n", "columns=[[n]]",
        "columns=[../column/n]", "columns=[n.yaml]", "columns=[latency]x", "figure=[nothing]", "figure=[accuracy,accuracy]",
        "figure=accuracy.hue", "figure.accuracy.hue=nothing", "figure.accuracy.y=nothing",
        "figure=[accuracy] figure.accuracy.hue=nothing", "figure=[accuracy] figure.accuracy.y=nothing",
        "figure=[accuracy] figure.accuracy.facet=nothing", "figure=[accuracy] figure.accuracy.order=[nothing]",
        "figure=[accuracy] figure.accuracy.labels=[a]", "figure=[accuracy] figure.accuracy.width=0",
        "figure=[accuracy] figure.accuracy.width=1000000", "figure=[macs] figure.accuracy.hue=masker", "where=nothing", "where=a=b",
        "where=nothing>3", "where=accuracy>nothing", "where=accuracy>>3", "where=(", "where='masker=='", "where=import", "where='1'",
        "where='True'", "where='[1,2]'", "where='masker == 1'", "where='__import__(\"os\").system(\"touch x\")'",
        "where='masker.str.len() > 3'", "where='@x > 3'", "where='seed'", "where=1/0", "where='accuracy > 2'", "title=''", "name=''",
        "name=a/b", "name=..", "name=-x", "name=" + "x" * 65, "title=" + "x" * 1025, "report_dir=", "report_dir=/proc/x",
        "report_dir=/dev/null", "report_dir=/dev/null/x", "mode=report", "mode=report +experiment=laenen_fig3",
        "mode=report records=[nowhere.jsonl]", "mode=report figure=[accuracy]", "mode=report where=nothing", "mode=report columns=[n,n]",
        "mode=report records=[.]", "mode=report records=[/dev/null]", "mode=report records=[/etc/passwd]", "mode=check",
        "mode=check results_dir=nowhere", "mode=check records=[nowhere.jsonl]", "records=[nowhere]", "records=nowhere",
        "records=[/dev/zero]", "records=[.]",
    ],
    "from=": [
        "from=[digits] mode=run", "from=laenen_fig3 mode=run", "from=laenen_fig3", "from=laenen_fig3 mode=plan",
        "from=[nowhere] mode=report", "from=[laenen_fig3,nothing] mode=report", "from=laenen_fig3 mode=report", "from=[] mode=report",
        "from= mode=report", "from=. mode=report", "from=/dev/null mode=report", "from=/etc/passwd mode=report",
        "from=laenen_fig3 from=laenen_fig3 mode=report", "+from=laenen_fig3 mode=report", "from=laenen_fig3 mode=check",
        "from=laenen_fig3 mode=status", "from={here} mode=report +experiment=laenen_fig3", "from=[laenen_fig3,laenen_fig3] mode=report",
    ],
    "mode=export": [
        "mode=export", "mode=export cell=nowhere", "mode=export format=onnx", "mode=export cell=nowhere format=onnx",
        "mode=export cell=nowhere format=pt2 to=net.onnx", "mode=export cell=. format=safetensors", "mode=export cell=/ format=pt2",
        "mode=export cell=/dev/null format=pt2", "mode=export cell={here} format=pt2 to=/proc/net.pt2", "mode=export cell= format=pt2",
        "mode=export cell=http://127.0.0.1:9/a format=pt2", "mode=export cell=[a] format=pt2", "mode=export cell=a,b format=pt2",
        "mode=export cell=nowhere format=onnx,pt2", "mode=export cell=nowhere format=ONNX", "mode=export cell=nowhere format=.onnx",
        "cell=nowhere", "format=onnx", "to=net.onnx", "cell=nowhere format=onnx mode=plan", "from=laenen_fig3 mode=export",
    ],
    "experiments": [
        "+experiment=nothing", "+experiment=laenen_fig3,nothing", "+experiment=laenen_fig3 +experiment=laenen_fig2_vgg11",
        "experiment=laenen_fig3 mode=plan", "+experiment=laenen_fig3 model=nothing mode=plan",
        "+experiment=laenen_fig3 densities=[2] mode=plan", "+experiment=laenen_fig3/x mode=plan", "+experiment=../config mode=plan",
        "+experiment='' mode=plan", "+experiment=laenen_fig3.yaml mode=plan", "+experiment=Laenen_fig3 mode=plan",
        "+experiment=laenen_fig3 recipe.epochs=0 mode=plan", "+experiment=laenen_fig3 seed=range(0) mode=plan", "~experiment mode=plan",
        "+experiment=laenen_fig3 masker=ramanujan,nothing mode=plan", "+experiment=mine,other mode=plan",
        "+experiment=laenen_fig3,laenen_fig2_vgg11 results_dir=a,b mode=plan", "+experiment=laenen_fig3 mode=plan,run",
        "+experiment=laenen_fig3 data_dir=a,b mode=plan", "+experiment@nothing=laenen_fig3 mode=plan",
        "+experiment=laenen_fig3 launcher=local,gpus mode=plan",
    ],
    "a plan": [
        "mode=plan plan.time=maybe", "mode=plan plan.time=1", "mode=plan plan.time=", "mode=plan plan=false", "mode=plan plan=time",
        "mode=plan plan.tim=false", "mode=plan plan.time.x=1", "mode=plan +plan.x=true", "mode=plan ~plan", "mode=plan ~plan.time",
        "mode=plan plan=[time]", "mode=plan plan=null", "mode=plan plan={a: 1}", "mode=plan plan={}", "mode=plan plan.time=true,false",
    ],
    "what one command has but once, swept": [
        "mode=plan,status", "results_dir=a,b", "data_dir=a,b", "report_dir=a,b", "name=a,b", "title=a,b", "launcher=local,gpus",
        "records=[],[a]", "columns=[n],[accuracy]", "where=none,x", "logger=none,csv", "figure=[],[accuracy]", "trainer.threads=1,2",
        "measurement=[],latency", "trainer.accelerator=cpu,auto", "trainer.precision=float32,bf16,fp16", "launcher.devices=1,2",
        "logger.project=a,b",
    ],
    "a measurement": [
        "measurement=nothing", "measurement=[latency,latency]", "measurement=[latency,nothing]", "measurement=topology model=nothing",
        "measurement.latency.runs=3", "measurement={a: 1}", "measurement=1", "measurement=topology masker=nothing", "latency=maybe",
        "topology=deep", "measurement=latency measurement=[nothing]", "columns=[latency,nothing]",
    ],
    "data and how it is described": [
        "dataset.validation=1438", "dataset.validation=100000", "dataset.validation=1430 recipe.train_images=100",
        "dataset.validation=1437 recipe.train_images=2", "dataset.mean=[0.5]", "dataset.mean=[0.5,0.5]", "dataset.std=[0,0,0]",
        "dataset.std=[1,1,1,1]", "dataset.mean=[2,2,2]", "dataset.train_count=1437", "dataset.train_count=0",
        "dataset.train_count=1000000000", "dataset.classes=9", "dataset.classes=1", "dataset.classes=11", "dataset.image_shape=[3,32]",
        "dataset.image_shape=[1,32,32]", "dataset.image_shape=[3,31,32]", "dataset.image_shape=[3,0,32]",
        "dataset.image_shape=[3,8192,8192]", "dataset.image_shape=[32,32,3]", "dataset.name=other dataset.classes=3", "dataset=cifar10",
        "dataset=cifar100", "dataset=tiny_imagenet", "dataset=flowers102", "dataset=caltech101", "dataset=tf_flowers",
        "dataset=flowers102 dataset.source.side=0", "dataset=flowers102 dataset.source.side=96",
        "dataset=flowers102 dataset.source.side=100000", "dataset=cifar10 dataset.classes=100",
        "dataset=digits model=torchvision_resnet18 dataset.image_shape=[3,16,16]", "dataset.source.strict=true",
        "dataset=cifar10,digits densities=[0.5,0.5]", "dataset.source=null", "dataset.source=digits", "dataset.source.side=32",
        "data_dir=nowhere dataset=cifar10", "data_dir=/proc/x", "data_dir=/dev/null", "data_dir=/dev/null/x", "data_dir=",
        "data_dir=null", "data_dir=[a]",
    ],
    "data of one's own": [
        "dataset=folder", "dataset=folder dataset.root=nowhere", "dataset=folder dataset.root=/dev/null",
        "dataset=folder dataset.root=/dev", "dataset=folder dataset.root=.", "dataset=folder dataset.root=~/photos",
        "dataset=folder dataset.root=https://a.b/c", "dataset=folder dataset.root=null", "dataset=folder dataset.root=",
        "dataset=folder dataset.root=[a]", "dataset=folder dataset.root=a,b seed=0", "dataset=folder dataset.root=. dataset.side=0",
        "dataset=folder dataset.root=. dataset.classes=3", "dataset=folder dataset.root=. dataset.test_share=1",
        "dataset=folder dataset.root=. dataset.colours=red", "dataset=arrays", "dataset=arrays dataset.root=nowhere",
        "dataset=arrays dataset.root=.", "dataset=arrays dataset.root=/dev/zero", "dataset=arrays dataset.root=nowhere.npz",
        "dataset=arrays dataset.root=/dev/null.npz", "dataset=arrays dataset.root=. dataset.side=32",
    ],
    "a library's architecture": [
        "model=timm", "model=timm model.architecture=nothing", "model=timm model.architecture=resnet50.a1_in1k",
        "model=timm model.architecture=resnet18 weights=imagenet", "model=timm model.architecture=[resnet18]",
        "model=timm model.architecture=inception_v3", "model=torchvision", "model=torchvision model.architecture=resnet19",
        "model=torchvision model.architecture=fasterrcnn_resnet50_fpn", "model=torchvision model.architecture=maxvit_t",
        "model=torchvision model.architecture=vit_h_14", "model=torchvision model.architecture=vit_h_14 weights=imagenet",
        "model=torchvision model.architecture=alexnet", "model=torchvision model.architecture=inception_v3 weights=imagenet",
        "model=torchvision model.architecture=null", "model=torchvision model.depth=18",
    ],
    "options that another choice has": [
        "masker=erk masker.scope=global", "masker=greedy masker.allocation=erk", "masker=greedy masker.p=5",
        "scorer=synflow scorer.samples=5", "model=resnet20 model.hidden=10", "model=vgg11 model.dropout=0.5",
        "model=conv6 model.depth=11", "launcher=local launcher.timeout_min=5", "logger=csv logger.project=a",
        "logger=none logger.entity=a", "logger=tensorboard logger.project=a/b", "recipe.optimizer=adam", "recipe.warmup=5",
        "recipe.warmup_epochs=10 recipe.epochs=1", "trainer.max_epochs=5", "trainer.precision=32", "trainer.strategy=ddp",
        "dataset.num_workers=4", "launcher=gpus launcher.partition=a", "logger=wandb logger.mode=offline",
    ],
}  # fmt: skip
RIGHT = {  # why some of these are right
    "the last counts, as in a shell script": [
        "densities=[0.5] densities=[0.1]", "seed=0 seed=1", "measurement=[latency,latency]",
    ],
    "two densities": [
        "densities=[0.5,0.4999999999]",
    ],
    "a cell that is asked for twice is made once": [
        "seed=0,0", "seed=0,1,0", "masker=greedy,greedy", "rounds=2,2", "recipe.lr=0.1,0.10", "scorer=magnitude,magnitude seed=0,0",
        "seed=0, 1",
    ],
    "no graph is made of it: the cell is dense": [
        "masker=ramanujan masker.convolutions=false densities=[1.0]",
    ],
    "it has BatchNorm": [
        "masker=structured scorer=bn_scale model=conv6",
    ],
    "it can be computed": [
        "masker=structured model=vit_small model.depth=1 model.width=48 densities=[0.3]", "masker=greedy scorer=bn_scale model=conv6",
        "masker=sparsify_global model=vit_small model.depth=1 model.width=48", "masker=radix_net densities=[0.0001]",
        "scorer=grasp scorer.halves=true scorer.per_class=1", "scorer=phew model=vit_small model.depth=1 model.width=48",
        "scorer=eigenvector_centrality masker=greedy",
    ],
    "it concerns scope=global alone, and belongs to no cell's key otherwise": [
        "masker=sparsify masker.join=disjoint masker.skip=unit", "masker=sparsify masker.skip=identify",
    ],
    "no scores are needed, and the scorer is no part of the cell": [
        "masker=erk scorer=snip rounds=5",
    ],
    "at most so many images": [
        "scorer=snip recipe.train_images=1 scorer.samples=1 scorer.batchnorm=train", "recipe.train_images=2000",
        "recipe.train_images=1439", "recipe.test_images=360", "recipe.test_images=100000",
        "dataset.validation=1430 recipe.train_images=100", "dataset.validation=1437 recipe.train_images=2",
    ],
    "the same treatment, named twice": [
        "treatment=[repair,repair]", "treatment=repair,repair",
    ],
    "a shortened recipe keeps its milestones": [
        "recipe.milestones=[5,2] recipe.epochs=1", "recipe.milestones=[0,0]", "recipe.milestones=[1,1] recipe.epochs=3",
        "recipe.milestones=[5] recipe.epochs=1", "recipe.milestones=[80,120]",
        "recipe.epochs=2 recipe.frozen_epochs=2 recipe.milestones=[1]", "recipe.gamma=2 recipe.milestones=[]",
    ],
    "black comes in, and most draws leave something of the image": [
        "recipe.shift=33", "recipe.shift=32",
    ],
    "the last batch of an epoch may be smaller": [
        "recipe.batch_size=100000", "recipe.batch_size=65", "recipe.train_images=1 recipe.batch_size=1",
    ],
    "the record says whether it diverged": [
        "recipe.lr=1e9", "recipe.lr=1e-300", "recipe.weight_decay=1e9",
    ],
    "nothing is multiplied without milestones": [
        "recipe.gamma=100000", "recipe.gamma=0.5",
    ],
    "at most so many, and there is one cell": [
        "trainer.members=100000",
    ],
    "no more workers are started than there are jobs": [
        "launcher=gpus launcher.devices=1024",
    ],
    "the same figure, named twice": [
        "figure=[accuracy,accuracy]",
    ],
    "Hydra takes the name of a file too": [
        "+experiment=laenen_fig3.yaml mode=plan",
    ],
    "the cells are the same, and made once": [
        "logger=none,csv", "trainer.threads=1,2", "trainer.accelerator=cpu,auto",
    ],
    "which labels and columns there are, records tell: the cells are made and kept, and the report is refused": [
        "figure=[accuracy] figure.accuracy.order=[nothing]", "where='masker == greedy'",
    ],
    "the folder is made, for the data to be put there": [
        "data_dir=nowhere dataset=cifar10",
    ],
    "a class that no image has": [
        "dataset.classes=11",
    ],
}  # fmt: skip
MEANT = {text: why for why, some in RIGHT.items() for text in some}
# words with spaces in them
WHOLE = [
    ("seed=0, 1",), ("densities=[0.5, 0.5]",), ("where=masker = 'greedy'",), ("where='masker == greedy'",),
    ("where='masker == \"greedy\" and'",), ("figure=[accuracy]", "figure.accuracy.labels={a: }"), ("title= ",), ("data_dir=a b\nc",),
    ("logger=wandb", "logger.project=a b/c"), ("name=a b",),
]  # fmt: skip


def _records(content: str, name: str = "a.jsonl") -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(content, encoding="utf-8")

    return write


def _two(folder: Path) -> None:
    """Two experiments that one command cannot run."""
    (folder / "experiment").mkdir()
    for name in ("mine", "other"):
        (folder / "experiment" / f"{name}.yaml").write_text(
            f"# @package _global_\nname: {name}\nresults_dir: {name}\n",
            encoding="utf-8",
        )


def lines() -> Iterator[Line]:
    for why, some in LINES.items():
        for text in some:
            yield Line(tuple(text.split(" ")), why, accepted=MEANT.get(text, ""))
    for words in WHOLE:
        yield Line(words, "spaces where none belong", accepted=MEANT.get(" ".join(words), ""))
    for content in (
        "",
        "{}\n",
        "[]\n",
        "null\n",
        "{\n",
        "1\n",
        '{"key": 1}\n',
        "x" * 100_000,
        "\x00" * 100,
        "[" * 100_000,
        json.dumps({"key": "a" * 300}) + "\n",
    ):
        for words in (("mode=report", "records=[a.jsonl]"), ("records=[a.jsonl]",), ("mode=report", "from=a.jsonl")):
            yield Line(
                words,
                "a file of records that holds none",
                before=_records(content),
                accepted="" if content or words[0][:4] == "mode" else "an empty file has no cells",
            )
    own = ("--config-dir={here}",)
    yield Line((*own, "+experiment=mine,other"), "two experiments with folders of their own for results", before=_two)
    yield Line((*own, "+experiment=mine,nothing"), "one of two experiments does not exist", before=_two)
    yield Line((*own, "+experiment=mine", "data_dir=a,b"), "two folders of data", before=_two)
