"""Each miniature tree is recognized as what it is and as nothing likelier; an unknown folder gets a plain answer."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from kdistill_core.datasets.contract import DatasetError, ReadOptions
from kdistill_core.datasets.registry import PLAIN_FOLDER, open_data_set, recognize, sources

CONDITIONS = (
    "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,"
    "Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
MIMIC_METADATA = "dicom_id,subject_id,study_id,ViewPosition,Rows,Columns\n"
CHEXPERT = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{CONDITIONS}\n"
NIH = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n"
NIH_ROW = "1.png,No Finding,0,1,57,M,PA\n"
VINDR = "image_id,rad_id,Nodule/Mass,No finding\n"
COMPETITION = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"
PADCHEST = "ImageID,StudyID,PatientID,Projection,Labels,MethodLabel\n"
MS_CXR = "category_name,label_text,path,x,y,w,h,image_width,image_height,dicom_id,split\n"
MS_CXR_ROW = "Edema,edema,files/p10/p10000032/s50414267/a.jpg,1,2,3,4,10,10,a,train\n"
MASKS = "CheXlocalize/gt_segmentations_val.json"

# The files that tell each layout apart, with the beginning of what they hold, and what it is to be taken for.
TREES: dict[str, tuple[str, dict[str, str]]] = {
    "MIMIC-CXR-JPG": (
        "mimic-cxr-jpg",
        {
            "mimic-cxr-2.0.0-metadata.csv.gz": MIMIC_METADATA,
            "mimic-cxr-2.0.0-split.csv.gz": "dicom_id,study_id,subject_id,split\n",
            "files/p10/p10000032/s50414267/a.jpg": "",
        },
    ),
    "MIMIC-CXR": (
        "mimic-cxr-dicom",
        {
            "cxr-record-list.csv.gz": "subject_id,study_id,dicom_id,path\n",
            "files/p10/p10000032/s50414267/a.dcm": "",
            "files/p10/p10000032/s50414267.txt": "",
        },
    ),
    "CheXpert": ("chexpert", {"train.csv": f"{CHEXPERT}a.jpg\n", "valid.csv": CHEXPERT, "train/": ""}),
    "CheXpert's test set": ("chexpert", {"test_labels.csv": CHEXPERT, "test/": ""}),
    "CheXpert Plus": (
        "chexpert-plus",
        {
            "df_chexpert_plus_240401.csv": "path_to_image,frontal_lateral,ap_pa,report,split\ntrain/a.jpg,,,,train\n",
            "PNG/": "",
        },
    ),
    "NIH": ("nih", {"Data_Entry_2017.csv": NIH, "images/1.png": "", "BBox_List_2017.csv": ""}),
    "NIH of 2020 in twelve folders": ("nih", {"Data_Entry_2017_v2020.csv": NIH, "images_001/images/1.png": ""}),
    "a part of NIH": ("nih", {"labels_512.csv": NIH, "512/1.jpg": "", "boxes_1024.csv": ""}),
    "Open-i": ("openi-xml", {"ecgen-radiology/1.xml": "", "NLMCXR_png/CXR1_1_IM-0001-3001.png": ""}),
    "Open-i, packed": ("openi-xml", {"NLMCXR_reports.tgz": ""}),
    "Open-i, tabular": (
        "openi-csv",
        {
            "indiana_reports.csv": "uid,MeSH,Problems,image,indication,comparison,findings,impression\n1,,,PA,,,,\n",
            "indiana_projections.csv": "uid,filename,projection\n",
        },
    ),
    "PadChest": ("padchest", {"PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv": PADCHEST, "0/a.png": ""}),
    "PadChest, packed": ("padchest", {"PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz": PADCHEST}),
    "VinDr-CXR": ("vindr", {"annotations/image_labels_train.csv": VINDR, "train/a.dicom": ""}),
    "VinDr-CXR, the competition": ("vindr", {"train.csv": COMPETITION, "train/a.dicom": "", "test/b.dicom": ""}),
    "MS-CXR": ("ms-cxr", {"MS_CXR_Local_Alignment_v1.1.0.csv": MS_CXR + MS_CXR_ROW}),
    "CheXlocalize": ("chexlocalize", {MASKS: "{}", "CheXpert/val/": "", "CheXpert/val_labels.csv": CHEXPERT}),
    "phantoms": (
        "phantom",
        {"truth.json": "{}", "labels.csv": "id,Edema\n", "reported.csv": "id,Edema\n", "images/a.dcm": ""},
    ),
    "a plain folder": ("images", {"images.csv": "image\n", "a.png": ""}),
    "a plain folder with a table of its own name": ("images", {"study.csv": "File,Edema\na.png,1\n", "a.png": ""}),
}


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".csv.gz") else text.encode())
    return root


@pytest.mark.parametrize("tree", TREES)
def test_a_tree_is_recognized_as_what_it_is_and_as_nothing_else(tmp_path: Path, tree: str) -> None:
    name, files = TREES[tree]
    assert [source.name for source in recognize(plant(tmp_path, files))] == [name]


def test_every_kind_has_a_tree_here_a_title_and_says_what_it_needs() -> None:
    known = sources()
    assert {name for name, _ in TREES.values()} == {source.name for source in known}
    assert len({source.title for source in known}) == len(known)
    assert all(source.title and source.needs for source in known)
    assert known[-1].name == PLAIN_FOLDER


def test_a_folder_that_holds_two_sets_is_said_to_the_likelier_first(tmp_path: Path) -> None:
    files = TREES["Open-i, packed"][1] | TREES["Open-i, tabular"][1]
    assert [source.name for source in recognize(plant(tmp_path, files))] == ["openi-xml", "openi-csv"]


def test_the_likeliest_is_opened_unless_another_is_named(tmp_path: Path) -> None:
    plant(tmp_path, {"Data_Entry_2017.csv": NIH + NIH_ROW, "images/1.png": "", "images.csv": "image\nimages/1.png\n"})
    assert open_data_set(tmp_path).name == "nih"
    assert open_data_set(tmp_path, "images", ReadOptions()).name == "images"


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"a.png": "", "b.dcm": ""},
        {"train.csv": "id,text\n1,a\n", "train/": ""},
        {"labels.csv": "id,Edema\n1,1\n", "images/": ""},
        {"labels_512.csv": "id\n", "512/": ""},
        {"reports.csv": "uid,image\n1,Chest PA\n"},
        {"broken.csv": ""},
    ],
)
def test_a_folder_of_something_else_is_refused_with_what_is_known(tmp_path: Path, files: dict[str, str]) -> None:
    assert recognize(plant(tmp_path, files)) == ()
    with pytest.raises(DatasetError, match="no data set that is known here") as caught:
        open_data_set(tmp_path)
    assert "PadChest" in caught.value.advice
    assert "images.csv" in caught.value.advice


def test_what_is_no_folder_or_no_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        recognize(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="no data set named 'chestx'") as caught:
        open_data_set(tmp_path, "chestx")
    assert "nih" in caught.value.advice


@pytest.mark.real_data
def test_the_real_folders_are_recognized(shared_data: Path) -> None:
    assert [source.name for source in recognize(shared_data / "images" / "nih")] == ["nih"]
    assert [source.name for source in recognize(shared_data / "reports")] == ["openi-xml", "openi-csv"]
